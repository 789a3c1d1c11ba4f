"""``python -m training test``: metrics of a checkpoint or a bundle on a labeled file."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from rich.table import Table
from rich.text import Text

from model_store import BundleError
from model_store.hashing import file_sha256
from model_store.plain_console import plain_console
from training.commands.parser import parse, plain_errors
from training.data.examples import DataError, Example, SkippedRows
from training.data.readers import ReadingOptions, read_examples
from training.data.readers.files import short_name
from training.evaluation import metrics
from training.evaluation.label_sets import ALL_METRICS, true_labels
from training.evaluation.metrics import Estimate, LabelMetrics, Outcomes
from training.evaluation.tables import plain_table

if TYPE_CHECKING:
    from training.evaluation.scorer import Scorer

DESCRIPTION = """\
Measures a checkpoint or a bundle on a labeled file: accuracy, macro-F1, calibration error (15 bins) and polar
accuracy, each with a 95% bootstrap interval; precision, recall and F1 of each label; and the confusion matrix.

  python -m training test runs/sample/checkpoints/best.ckpt training/data/sample/test.csv --to report.json
  python -m training test default stsa.binary.test --ptb_tokens --label_map '{"0": negative, "1": positive}'

The file may lack some of the model's labels, as two-class files lack neutral. The model still chooses among all of its
labels, as it does for a user, so every neutral prediction is wrong. Macro-F1 is the mean over the labels that occur in
the file. To compare with two-class
results, use the polar accuracy. It ignores texts labeled neutral and compares the sum of the scores of the
positive labels with that of the negative ones. A label that the model lacks is a bad row: rename it, or
leave its rows out, with --label_map.

Of a multi-label model, and with --multi_label, the figures are macro-F1, micro-F1, subset accuracy (the share of texts
whose labels are all right) and the calibration error of every label's score.

Reading options default to those of the checkpoint's run, or for a bundle to the defaults of fit; but --trees defaults
to root and --on_bad_row to stop for both.
"""


SKIPPED = {"bad_rows": "bad rows", "without_tokens": "texts without a token"}
"""Reasons for leaving a row out, by their key in the report."""


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """All measurements, ready for JSON.

    Attributes:
        confusion: (labels, labels) counts, a row for the true label and a column for the predicted one; empty if texts
            have any number of labels.
    """

    model: dict[str, Any]
    data: dict[str, Any]
    labels: list[str]
    figures: dict[str, Estimate]
    intervals: dict[str, Any]
    by_label: list[LabelMetrics]
    confusion: list[list[int]]


def main(arguments: list[str]) -> None:
    """Run the command."""
    options = parse(measure_model, arguments, command="test", description=DESCRIPTION)
    from training.fit.checkpoint import CheckpointError

    with plain_errors("test", BundleError, CheckpointError, DataError):
        measure_model(**options)


def measure_model(
    model: str,
    file: Path,
    *,
    to: Path | None = None,
    reading: Annotated[dict[str, Any], ReadingOptions],
    seed: int = 0,
) -> None:
    """Measure a checkpoint or bundle on a labeled file; see ``DESCRIPTION``.

    Args:
        model: a checkpoint, a bundle's folder, or "default" for the bundle that ships. A bundle is measured on its own
            calibrated scores, a checkpoint through the torch network with temperature 1.
        file: labeled text, gzipped or not.
        to: write everything as JSON to this file too.
        reading: how the file is read.
        seed: of the bootstrap.

    Raises:
        BundleError: the bundle cannot be used.
        CheckpointError: the checkpoint cannot be used.
        DataError: the file cannot be used.
    """
    from training.evaluation.scorer import load_scorer

    scorer = load_scorer(model)
    several = reading.get("multi_label") or scorer.thresholds is not None
    given = {"trees": "root", "on_bad_row": "stop", **reading, "multi_label": several}
    options = ReadingOptions.among(scorer.reading, **given)
    bad_rows = SkippedRows(options.on_bad_row)
    examples = list(read_examples(file, options, allowed_labels=scorer.labels, bad_rows=bad_rows))
    report = measure(scorer, examples, file=file, bad_rows=bad_rows, seed=seed)
    _print(report)
    if to is not None:
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_text(json.dumps(asdict(report), indent=2) + "\n", encoding="utf-8")


def measure(
    scorer: "Scorer", examples: list[Example], *, file: Path, bad_rows: SkippedRows, seed: int
) -> EvaluationReport:
    """Score every example and compute the metrics; a text without a token is left out and counted.

    Raises:
        DataError: no text holds a token.
    """
    scores = scorer.score([example.text for example in examples])
    labels = true_labels(examples, scorer.labels)
    has_tokens = ~np.isnan(scores[:, 0])
    if not has_tokens.any():
        raise DataError(file, None, problem="no text holds a token.", fix="Check that --text_column names the text.")
    outcomes = scorer.outcomes(scores[has_tokens], labels[has_tokens])
    return EvaluationReport(
        model=scorer.identity,
        data={
            "name": short_name(file),
            "sha256": file_sha256(file),
            "rows": len(outcomes),
            "left_out": {"bad_rows": bad_rows.count, "without_tokens": int((~has_tokens).sum())},
        },
        labels=scorer.labels,
        figures=metrics.with_intervals(outcomes, seed=seed),
        intervals={
            "coverage": metrics.COVERAGE,
            "method": "percentile bootstrap over texts",
            "resamples": metrics.RESAMPLES,
            "seed": seed,
        },
        by_label=metrics.by_label(outcomes, scorer.labels),
        confusion=metrics.confusion(outcomes).tolist() if isinstance(outcomes, Outcomes) else [],
    )


def _print(report: EvaluationReport) -> None:
    console = plain_console()
    data = report.data
    names = (str(report.model["path"]), "bold"), " on ", (str(data["name"]), "bold")
    console.print(Text.assemble("\n", *names, f", {data['rows']:,} texts\n"))
    for table in (_headline(report), _per_label(report), *([_confusion(report)] if report.confusion else [])):
        console.print(table)
        console.print()
    for note in _notes(report):
        console.print(Text(note, style="dim"))


def _headline(report: EvaluationReport) -> Table:
    table = plain_table("", "figure", "95% interval", "texts")
    for name, figure in report.figures.items():
        interval = f"{figure.low:.2%} to {figure.high:.2%}"
        table.add_row(ALL_METRICS[name].title, Text(f"{figure.value:.2%}", "bold"), interval, f"{figure.rows:,}")
    return table


def _per_label(report: EvaluationReport) -> Table:
    table = plain_table("label", "precision", "recall", "F1", "texts")
    for entry in report.by_label:
        values = (entry.precision, entry.recall, entry.f1)
        shown = ["-" if value is None else f"{value:.2%}" for value in values]
        table.add_row(Text(entry.label), *shown, f"{entry.support:,}")
    return table


def _confusion(report: EvaluationReport) -> Table:
    table = plain_table("true, then predicted", *report.labels)
    for true, row in enumerate(report.confusion):
        shown = [Text(f"{count:,}", "bold" if predicted == true else "") for predicted, count in enumerate(row)]
        table.add_row(Text(report.labels[true]), *shown)
    return table


def _notes(report: EvaluationReport) -> Iterator[str]:
    absent = [entry.label for entry in report.by_label if not entry.support]
    if absent:
        names = ", ".join(absent)
        yield f"No text of the file is labeled {names}: each such prediction is wrong."
        yield "Macro-F1 is the mean over the labels that occur."
        if "polar_accuracy" in report.figures:
            yield "Compare with two-class results by the polar accuracy."
    if report.model["temperature"] is None:
        yield "A checkpoint's scores are not calibrated; export fits the temperature."
    for reason, count in report.data["left_out"].items():
        if count:
            yield f"Left out {count:,} {SKIPPED[reason]}."
