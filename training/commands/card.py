"""``python -m training card``: attaches reports and measurements to a bundle and rewrites its card."""

import shlex
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path

from rich.console import Console

from model_store import BundleError, SentimentModel
from model_store import bundle as bundles
from model_store.manifest import Manifest
from training.commands.parser import parse, plain_errors
from training.data.examples import DataError
from training.data.module import short_name
from training.data.readers import ReadingOptions, read_examples
from training.evaluation.metrics import measurements
from training.evaluation.predictions import Predictions, predict_file
from training.evaluation.selective import risk_coverage
from training.export.bundle import write_bundle
from training.export.reports import EvidenceError, attached

DESCRIPTION = """\
Attaches reports and measurements to an existing bundle, and rewrites its manifest and card, both or neither. The graph,
the tokenizer, the calibration and everything not named here stay as they are.

  python -m training card my-model --behavior report/report.json --comparison comparison.json
  python -m training card my-model --measure '[amazon/reviews.jsonl.gz, cr/custrev.txt]' \
    --label_map '{"0": negative, "1": positive}'

A report replaces the previous one. Measurements of a file replace those of a file of the same name. The manifest's hash
identifies the bundle, so model.sha256 in answers changes.
"""

RENAMED = {"behaviour": "behavior"}


@dataclass(frozen=True, kw_only=True)
class ReportFiles:
    """Reports for a card.

    Attributes:
        behavior: JSON report of ``evaluate``.
        comparison: JSON report of ``benchmarks.accuracy``.
        known_failures: JSON list of {"text", "expected"}: texts that the bundle gets wrong, shown with its answers.
    """

    behavior: Path | None = None
    comparison: Path | None = None
    known_failures: Path | None = None

    def __bool__(self) -> bool:
        return any((self.behavior, self.comparison, self.known_failures))


@dataclass(frozen=True)
class CardOptions:
    """What is attached.

    Args:
        bundle: a bundle's folder.
        reports: what is shown beside the measurements.
        measure: labelled file, or several as '[a, b]', to measure the bundle on.
        reading: how those files are read.
        intended_use: sentences for the card, which replace those it has.
        not_intended_for: sentences for the card, which replace those it has.
    """

    bundle: str
    _: KW_ONLY
    reports: ReportFiles = field(default_factory=ReportFiles)
    measure: Path | list[Path] | None = None
    reading: ReadingOptions = field(default_factory=ReadingOptions)
    intended_use: list[str] | None = None
    not_intended_for: list[str] | None = None


def main(arguments: list[str]) -> None:
    """Runs the command."""
    given = parse(CardOptions, arguments, command="card", description=DESCRIPTION, renamed=RENAMED)
    with plain_errors("card", BundleError, DataError, EvidenceError):
        write_card(CardOptions(**given), command=shlex.join(["python", "-m", "training", "card", *arguments]))


def write_card(options: CardOptions, *, command: str) -> None:
    """Does what ``DESCRIPTION`` says; ``command`` is shown on the card beside the measurements."""
    content = bundles.read(bundles.resolve(options.bundle))
    model = SentimentModel(content)
    uses = {"intended_use": options.intended_use, "not_intended_for": options.not_intended_for}
    manifest = content.manifest.model_copy(update={name: use for name, use in uses.items() if use is not None})
    manifest, notes = attached(
        manifest,
        model,
        behaviour=options.reports.behavior,
        comparison=options.reports.comparison,
        known_failures=options.reports.known_failures,
    )
    console = Console(stderr=True)
    for file in _measured(options, model):
        manifest = _with_measurements(manifest, file, command=command)
        skipped = f", {file.skipped:,} without a token skipped" if file.skipped else ""
        console.print(f"Measured {len(file.true):,} texts of {file.data}{skipped}.")
    files = bundles.read_files(content.folder, content.manifest)
    write_bundle(content.folder, manifest, files, overwrite=True)
    for note in notes:
        console.print(note, markup=False)
    console.print(f"Wrote {content.folder / bundles.CARD}; python -m model_store show {options.bundle} --card")


def _measured(options: CardOptions, model: SentimentModel) -> Sequence[Predictions]:
    paths = [options.measure] if isinstance(options.measure, Path) else options.measure or []
    predictions = []
    for path in paths:
        examples = list(read_examples(path, options.reading, allowed_labels=model.manifest.label_names))
        predictions.append(predict_file(model, examples, data=short_name(path)))
    return predictions


def _with_measurements(manifest: Manifest, file: Predictions, *, command: str) -> Manifest:
    """The manifest with the measurements of a file, which replace those of a file of that name."""
    calibration = manifest.calibration
    polarities = [label.polarity for label in manifest.labels]
    outcomes = file.outcomes(temperature=calibration.temperature, polarities=polarities)
    metrics = [metric for metric in manifest.metrics if metric.data != file.data]
    curves = [curve for curve in manifest.risk_coverage if curve.data != file.data]
    return manifest.model_copy(
        update={
            "metrics": [*metrics, *measurements(outcomes, data=file.data, command=command)],
            "risk_coverage": [*curves, risk_coverage(file, calibration)],
        }
    )
