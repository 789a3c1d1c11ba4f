"""``python -m training card``: what can be measured only once a bundle exists goes into its manifest and its card."""

import shlex
import sys
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path

from jsonargparse import auto_cli
from rich.console import Console

from model_store import BundleError, Evaluation, SentimentModel
from model_store import bundle as bundles
from model_store.manifest import Manifest
from training.commands.parser import ExactParser, Paragraphs
from training.data.examples import BadRowPolicy, DataError, LeftOut
from training.data.labelled import READING, read_labelled
from training.data.module import short_name
from training.data.readers import Format
from training.evaluation.metrics import measurements
from training.evaluation.predictions import Predictions, predict_file
from training.evaluation.selective import risk_coverage
from training.export.reports import EvidenceError, attach_reports

DESCRIPTION = """\
Attaches reports and measurements to an existing bundle, and rewrites its evaluation and card, both or neither. The
manifest, the graph, the tokenizer and everything not named here stay as they are.

  python -m training card my-model --behaviour behaviour.json --comparison comparison.json
  python -m training card my-model --measure '[amazon/reviews.jsonl.gz, cr/custrev.txt]' \
    --label_map '{"0": negative, "1": positive}'

A report takes the place of the one before. A file that is measured takes the place of figures on data of that name.
Measuring does not change the bundle's identity (model.sha256 in answers).
"""


@dataclass(frozen=True)
class Options:
    """What is attached.

    Args:
        bundle: a bundle's folder.
        behaviour: JSON report of ``evaluate --behaviour``.
        comparison: JSON report of ``benchmarks/accuracy.py``.
        known_failures: JSON list of {"text", "expected"}: what the bundle gets wrong, shown with its own answers.
        measure: labelled file, or several as '[a, b]', to measure the bundle's own answers on.
        format: csv, tsv, jsonl, parquet, lines ("label text"), trees (Penn Treebank), or auto: by name and content.
        text_column: column or key of the text (csv, tsv, jsonl, parquet).
        label_column: column or key of the label.
        ptb_tokens: texts are Penn Treebank tokens ("ca n't"), to be joined as a person writes. Trees always are.
        label_map: label in the files to the model's label; null leaves rows out; one that it lacks stays as it is.
        on_bad_row: stop at a row that cannot be used, or skip and count it.
        intended_use: sentences for the card, in place of those it has.
        not_intended_for: sentences for the card, in place of those it has.
    """

    bundle: str
    _: KW_ONLY
    behaviour: Path | None = None
    comparison: Path | None = None
    known_failures: Path | None = None
    measure: Path | list[Path] | None = None
    format: Format = "auto"
    text_column: str = "text"
    label_column: str = "label"
    ptb_tokens: bool = False
    label_map: dict[str, str | None] | None = None
    on_bad_row: BadRowPolicy = "stop"
    intended_use: list[str] | None = None
    not_intended_for: list[str] | None = None


def main(arguments: list[str]) -> None:
    """Runs the command; exits with 1 and a plain message where something is wrong with what it was given."""
    try:
        options = auto_cli(
            Options,
            args=arguments,
            prog="python -m training card",
            as_positional=True,
            parser_class=ExactParser,
            description=DESCRIPTION,
            formatter_class=Paragraphs,
        )
        write_card(options, command=shlex.join(["python", "-m", "training", "card", *arguments]))
    except (BundleError, DataError, EvidenceError) as error:
        # The readers name their options as fit has them; here they stand without the group.
        sys.stderr.write(f"{error}\n".replace("--data.", "--"))
        raise SystemExit(1) from None


def write_card(options: Options, *, command: str) -> None:
    """Does what ``DESCRIPTION`` says; ``command`` is what the card shows beside the figures."""
    content = bundles.read(bundles.resolve(options.bundle))
    model = SentimentModel(content)
    uses = {"intended_use": options.intended_use, "not_intended_for": options.not_intended_for}
    evaluation = content.evaluation.replace(**{name: use for name, use in uses.items() if use is not None})
    evaluation, notes = attach_reports(
        evaluation,
        model,
        behavior=options.behaviour,
        comparison=options.comparison,
        known_failures=options.known_failures,
    )
    console = Console(stderr=True)
    for file in _measured(options, model):
        evaluation = _with_measurements(evaluation, model.manifest, file, command=command)
        skipped = f", {file.skipped:,} without a token skipped" if file.skipped else ""
        console.print(f"Measured {len(file.true):,} texts of {file.data}{skipped}.")
    bundles.rewrite(content, evaluation=evaluation)
    for note in notes:
        console.print(note, markup=False)
    console.print(f"Wrote {content.path / bundles.CARD}; python -m model_store show {options.bundle} --card")


def _measured(options: Options, model: SentimentModel) -> Sequence[Predictions]:
    paths = [options.measure] if isinstance(options.measure, Path) else options.measure or []
    reading = {name: getattr(options, name) for name in READING}
    labels = model.manifest.label_names
    predictions = []
    for path in paths:
        examples = read_labelled(path, reading, allowed_labels=labels, bad_rows=LeftOut(options.on_bad_row))
        predictions.append(predict_file(model.runner, examples, labels=labels, data=short_name(path)))
    return predictions


def _with_measurements(evaluation: Evaluation, manifest: Manifest, file: Predictions, *, command: str) -> Evaluation:
    """The evaluation with the measurements of a file, which replace those of a file of that name."""
    polarities = [label.polarity for label in manifest.labels]
    outcomes = file.outcomes(temperature=manifest.calibration.temperature, polarities=polarities)
    metrics = [metric for metric in evaluation.metrics if metric.data != file.data]
    curves = [curve for curve in evaluation.risk_coverage if curve.data != file.data]
    return evaluation.replace(
        metrics=[*metrics, *measurements(outcomes, data=file.data, command=command)],
        risk_coverage=[*curves, risk_coverage(file, manifest.calibration)],
    )
