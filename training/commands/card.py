"""``python -m training card``: attaches reports and measurements to a bundle and rewrites its card."""

import shlex
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from pathlib import Path

from model_store import BundleError, SentimentModel
from model_store import bundle as bundles
from model_store.plain_console import plain_console
from training.commands.parser import parse, plain_errors
from training.data.examples import DataError
from training.data.readers import ReadingOptions, read_examples
from training.data.readers.files import short_name
from training.evaluation.predictions import Predictions, predict_file
from training.export.reports import EvidenceError, attach_measurements, attach_reports

DESCRIPTION = """\
Attaches reports and measurements to an existing bundle, and rewrites its evaluation and card, both or neither. The
manifest, the graph, the tokenizer and everything not named here stay as they are.

  python -m training card my-model --behavior report/report.json --comparison comparison.json
  python -m training card my-model --measure '[amazon/reviews.jsonl.gz, cr/custrev.txt]' \
    --label_map '{"0": negative, "1": positive}'

A report replaces the previous one. Measurements of a file replace those of a file of the same name. The bundle's
identity (model.sha256 in answers) does not change.
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
    """Options of ``card``.

    Args:
        bundle: a bundle's folder.
        reports: results shown next to the measurements.
        measure: labeled file, or several as '[a, b]', to measure the bundle on.
        reading: how those files are read.
        intended_use: sentences for the card; replace the present ones.
        not_intended_for: sentences for the card; replace the present ones.
    """

    bundle: str
    _: KW_ONLY
    reports: ReportFiles = field(default_factory=ReportFiles)
    measure: Path | list[Path] | None = None
    reading: ReadingOptions = field(default_factory=ReadingOptions)
    intended_use: list[str] | None = None
    not_intended_for: list[str] | None = None


def main(arguments: list[str]) -> None:
    """Run the command."""
    given = parse(CardOptions, arguments, command="card", description=DESCRIPTION, renamed=RENAMED)
    with plain_errors("card", BundleError, DataError, EvidenceError):
        write_card(CardOptions(**given), command=shlex.join(["python", "-m", "training", "card", *arguments]))


def write_card(options: CardOptions, *, command: str) -> None:
    """Run the command; see ``DESCRIPTION``. ``command`` is shown on the card next to the measurements."""
    content = bundles.read(bundles.resolve(options.bundle))
    model = SentimentModel(content)
    uses = {"intended_use": options.intended_use, "not_intended_for": options.not_intended_for}
    evaluation, notes = attach_reports(
        content.evaluation.replace(**{name: use for name, use in uses.items() if use is not None}),
        model,
        behavior=options.reports.behavior,
        comparison=options.reports.comparison,
        known_failures=options.reports.known_failures,
    )
    console = plain_console(stderr=True)
    for file in _measured(options, model):
        evaluation = attach_measurements(evaluation, model.manifest, file, command=command)
        skipped = f", {file.skipped:,} without a token skipped" if file.skipped else ""
        console.print(f"Measured {len(file.true):,} texts of {file.data}{skipped}.")
    bundles.rewrite(content, evaluation=evaluation)
    for note in notes:
        console.print(note)
    console.print(
        f"Wrote {content.path / bundles.CARD}; python -m model_store show {shlex.quote(str(options.bundle))} --card"
    )


def _measured(options: CardOptions, model: SentimentModel) -> Sequence[Predictions]:
    paths = [options.measure] if isinstance(options.measure, Path) else options.measure or []
    labels = model.manifest.label_names
    several = options.reading.multi_label or model.manifest.multi_label is not None
    reading = replace(options.reading, multi_label=several)
    predictions = []
    for path in paths:
        examples = list(read_examples(path, reading, allowed_labels=labels))
        predictions.append(predict_file(model.runner, examples, labels=labels, data=short_name(path)))
    return predictions
