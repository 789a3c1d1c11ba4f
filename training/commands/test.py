"""``python -m training test``: a checkpoint or a bundle against a labelled file."""

import hashlib
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jsonargparse import auto_cli
from rich.console import Console
from rich.table import Table
from rich.text import Text

from model_store import BundleError
from training.commands.parser import ExactParser, Paragraphs
from training.data.examples import BadRowPolicy, DataError, Example, LeftOut
from training.data.labelled import read_labelled
from training.data.module import short_name
from training.data.readers import Format
from training.evaluation import metrics
from training.evaluation.metrics import Figure, LabelFigures, Outcomes
from training.evaluation.scorer import Contender, load_contender
from training.fit.checkpoint import CheckpointError

DESCRIPTION = """\
Measures a checkpoint or a bundle on a labelled file: accuracy, macro-F1, calibration error (15 bins) and polar
accuracy, each with a 95% bootstrap interval; precision, recall and F1 of each label; and the confusion matrix.

  python -m training test runs/sample/checkpoints/best.ckpt training/data/sample/test.csv --to report.json
  python -m training test default stsa.binary.test --ptb_tokens true --label_map '{"0": negative, "1": positive}'

A file may lack some of the model's labels, as two-class files lack neutral. Accuracy and macro-F1 still let the model
choose among all of its labels, so every neutral answer is wrong: strict, and what a user of the model gets. To compare
with two-class results read the polar accuracy: it leaves out texts labelled neutral and asks whether the positive
labels' scores together outweigh the negative ones'. A label that the model lacks is a bad row: rename it, or leave its
rows out, with --label_map.

Reading options that are not given are those of the checkpoint's own run; for a bundle, those of fit.
"""


@dataclass(frozen=True, slots=True)
class Report:
    """Everything measured, ready for JSON.

    Attributes:
        confusion: (labels, labels) counts, a row for the true label and a column for the predicted one.
    """

    model: dict[str, Any]
    data: dict[str, Any]
    labels: list[str]
    figures: dict[str, Figure]
    intervals: dict[str, Any]
    by_label: list[LabelFigures]
    confusion: list[list[int]]


def main(arguments: list[str]) -> None:
    """Runs the command; exits with 1 and a plain message where something is wrong with what it was given."""
    try:
        auto_cli(
            measure_model,
            args=arguments,
            prog="python -m training test",
            as_positional=True,
            parser_class=ExactParser,
            description=DESCRIPTION,
            formatter_class=Paragraphs,
        )
    except (BundleError, CheckpointError, DataError) as error:
        # The readers name their options as fit has them; here they stand without the group.
        sys.stderr.write(f"{error}\n".replace("--data.", "--"))
        raise SystemExit(1) from None


def measure_model(
    model: str,
    file: Path,
    *,
    to: Path | None = None,
    format: Format | None = None,  # noqa: A002 - the option's name on the command line
    text_column: str | None = None,
    label_column: str | None = None,
    trees: Literal["root", "phrases"] = "root",
    ptb_tokens: bool | None = None,
    label_map: dict[str, str | None] | None = None,
    on_bad_row: BadRowPolicy = "stop",
    seed: int = 0,
) -> None:
    """Measures a checkpoint or bundle on a labelled file; see ``DESCRIPTION``.

    Args:
        model: a checkpoint, a bundle's folder, or "default" for the bundle that ships with the project. A bundle is
            measured on its own calibrated answers, a checkpoint through the torch network with temperature 1.
        file: labelled text, gzipped or not.
        to: write everything as JSON to this file too.
        format: csv, tsv, jsonl, parquet, lines ("label text"), trees (Penn Treebank), or auto: by name and content.
        text_column: column or key of the text (csv, tsv, jsonl, parquet).
        label_column: column or key of the label.
        trees: for trees: the root (whole sentences), or every phrase.
        ptb_tokens: texts are Penn Treebank tokens ("ca n't"), to be joined as a person writes. Trees always are.
        label_map: label in the file to the model's label, such as {"0": negative, "1": positive}; null leaves rows out.
        on_bad_row: stop at a row that cannot be used, or skip and count it.
        seed: of the bootstrap.
    """
    contender = load_contender(model)
    given = {
        "format": format,
        "text_column": text_column,
        "label_column": label_column,
        "ptb_tokens": ptb_tokens,
        "label_map": label_map,
    }
    options = contender.reading | {name: value for name, value in given.items() if value is not None}
    bad_rows = LeftOut(on_bad_row)
    examples = read_labelled(file, options, trees=trees, allowed_labels=contender.labels, bad_rows=bad_rows)
    report = measure(contender, examples, file=file, bad_rows=bad_rows, seed=seed)
    _print(report)
    if to is not None:
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_text(json.dumps(asdict(report), indent=2) + "\n", encoding="utf-8")


def measure(contender: Contender, examples: list[Example], *, file: Path, bad_rows: LeftOut, seed: int) -> Report:
    """Scores every example and works out the figures; a text that holds no token is left out and counted.

    Raises:
        DataError: no text holds a token.
    """
    scores = contender.score([example.text for example in examples])
    labels = np.array([contender.labels.index(example.label) for example in examples])
    read = ~np.isnan(scores[:, 0])
    if not read.any():
        raise DataError(file, None, problem="no text holds a token.", fix="Check that --text_column names the text.")
    measured = metrics.outcomes(scores[read], labels[read], polarities=contender.polarities)
    with file.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    return Report(
        model=contender.identity,
        data={
            "name": short_name(file),
            "sha256": sha256,
            "rows": len(measured),
            "left_out": {"bad_rows": bad_rows.count, "without_tokens": int((~read).sum())},
        },
        labels=contender.labels,
        figures=metrics.with_intervals(measured, seed=seed),
        intervals={
            "coverage": metrics.COVERAGE,
            "method": "percentile bootstrap over texts",
            "resamples": metrics.RESAMPLES,
            "seed": seed,
        },
        by_label=metrics.by_label(measured, contender.labels),
        confusion=_as_lists(measured),
    )


def _as_lists(measured: Outcomes) -> list[list[int]]:
    rows: list[list[int]] = metrics.confusion(measured).tolist()
    return rows


def _print(report: Report) -> None:
    console = Console()
    data = report.data
    console.print(f"\n[bold]{report.model['path']}[/] on [bold]{data['name']}[/], {data['rows']:,} texts\n")
    for table in (_headline(report), _per_label(report), _confusion(report)):
        console.print(table)
        console.print()
    for note in _notes(report):
        console.print(Text(note, style="dim"))


def _headline(report: Report) -> Table:
    table = _table("", "figure", "95% interval", "texts")
    for name, figure in report.figures.items():
        interval = f"{figure.low:.2%} to {figure.high:.2%}"
        table.add_row(_in_words(name), f"[bold]{figure.value:.2%}[/]", interval, f"{figure.rows:,}")
    return table


def _per_label(report: Report) -> Table:
    table = _table("label", "precision", "recall", "F1", "texts")
    for entry in report.by_label:
        values = (entry.precision, entry.recall, entry.f1)
        shown = ["-" if value is None else f"{value:.2%}" for value in values]
        table.add_row(Text(entry.label), *shown, f"{entry.support:,}")
    return table


def _confusion(report: Report) -> Table:
    table = _table("true, then predicted", *report.labels)
    for true, row in enumerate(report.confusion):
        shown = [f"[bold]{count:,}[/]" if predicted == true else f"{count:,}" for predicted, count in enumerate(row)]
        table.add_row(Text(report.labels[true]), *shown)
    return table


def _notes(report: Report) -> Iterator[str]:
    absent = [entry.label for entry in report.by_label if not entry.support]
    if absent:
        names = ", ".join(absent)
        yield f"No text of the file is labelled {names}, so accuracy and macro-F1 count each such answer as wrong."
        if "polar_accuracy" in report.figures:
            yield "Compare with two-class results by the polar accuracy."
    if report.model["temperature"] is None:
        yield "A checkpoint's scores are not calibrated; export fits the temperature."
    for reason, count in report.data["left_out"].items():
        if count:
            yield f"Left out {count:,} {_in_words(reason)}."


def _in_words(name: str) -> str:
    return {"macro_f1": "macro-F1", "without_tokens": "texts without a token"}.get(name, name.replace("_", " "))


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, padding=(0, 3, 0, 0), header_style="dim")
    table.add_column(first)
    for name in others:
        table.add_column(Text(name), justify="right")
    return table
