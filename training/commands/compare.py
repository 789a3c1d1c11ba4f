"""``python -m training compare``: two models on the same labeled texts, and whether the second is worse."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import KW_ONLY, asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from model_store import BundleError
from model_store import bundle as bundles
from model_store.atomic_write import write_json
from model_store.hashing import file_sha256
from model_store.plain_console import plain_console
from training.commands.parser import UsageError, parse, plain_errors
from training.data.examples import DataError, SkippedRows
from training.data.readers import ReadingOptions, read_examples
from training.evaluation.comparison import (
    Comparison,
    Flip,
    compare,
    in_label_space,
    thresholds_in_label_space,
)
from training.evaluation.label_sets import ALL_METRICS
from training.evaluation.metrics import Estimate
from training.evaluation.tables import plain_table

if TYPE_CHECKING:
    from training.evaluation.scorer import Scorer

DESCRIPTION = """\
Compares two models on the same labeled texts: accuracy, macro-F1 and calibration error with 95% bootstrap intervals,
their differences with the interval of a paired bootstrap, McNemar's exact test, size, speed, and texts whose label
changed. A model is a bundle's folder, tag or stage, "default", or a checkpoint.

  python -m training compare production my-model --data my/test.csv --to comparison.json

The second model is better or worse only if the whole interval of the difference lies on one side of 0. A label that
one of the models does not have is one that it never gets right. If one of the models is multi-label, or with
--multi_label, texts may have any number of labels: macro-F1, micro-F1 and subset accuracy are compared, and an answer
is right if all of its labels are; a model that gives one label a text is measured like one that always gives one.
"""

TIMED_TEXTS = 200
"""Texts that the speed is measured on, at most."""

REPEATS = 3
"""Times that each model reads them, in turns; the median counts."""

SHOWN_CHARACTERS = 100
"""Characters of a text in the table of changed labels."""


@dataclass(frozen=True)
class CompareOptions:
    """Options of ``compare``.

    Args:
        first: the model to compare with.
        second: the model that may be better or worse.
        data: labeled file, which neither model was trained on.
        to: write everything to this JSON file too.
        flips: number of texts with another label to show.
        seed: of the bootstrap.
        reading: how the file is read.
    """

    first: str
    second: str
    _: KW_ONLY
    data: Path
    to: Path | None = None
    flips: int = 10
    seed: int = 0
    reading: ReadingOptions = field(default_factory=ReadingOptions)


def main(arguments: list[str]) -> None:
    """Run the command."""
    options = CompareOptions(**parse(CompareOptions, arguments, command="compare", description=DESCRIPTION))
    from training.fit.checkpoint import CheckpointError

    with plain_errors("compare", BundleError, CheckpointError, DataError):
        compare_models(options)


def compare_models(options: CompareOptions) -> None:
    """Run the command; see ``DESCRIPTION``.

    Raises:
        UsageError: ``flips`` is negative.
        DataError: the file cannot be used, or no text holds a token.
    """
    from training.evaluation.scorer import load_scorer

    if options.flips < 0:
        message = f"--flips is {options.flips}; expected 0 or more"
        raise UsageError(message)
    names = (options.first, options.second)
    scorers = [load_scorer(name) for name in names]
    labels = list(dict.fromkeys(label for scorer in scorers for label in scorer.labels))
    several = options.reading.multi_label or any(scorer.thresholds is not None for scorer in scorers)
    reading = replace(options.reading, multi_label=several)
    bad_rows = SkippedRows(reading.on_bad_row)
    examples = list(read_examples(options.data, reading, allowed_labels=labels, bad_rows=bad_rows))
    texts = [example.text for example in examples]
    first, second = (in_label_space(scorer.score(texts), scorer.labels, labels) for scorer in scorers)
    here, there = (thresholds_in_label_space(scorer.thresholds, scorer.labels, labels) for scorer in scorers)
    thresholds = (here, there)
    found = compare(
        examples, (first, second), labels, thresholds=thresholds, max_flips=options.flips, seed=options.seed
    )
    if not found.rows:
        raise DataError(options.data, None, problem="no text holds a token.", fix="Check that --text_column is right.")
    speeds = speeds_of(scorers, texts[:TIMED_TEXTS])
    sides = [_side(name, scorer, speed) for name, scorer, speed in zip(names, scorers, speeds, strict=True)]
    for side, scorer in zip(sides, scorers, strict=True):
        side["texts_with_labels_it_lacks"] = sum(
            not set(example.label_names) <= set(scorer.labels) for example in examples
        )
    _print(options, found, sides)
    if options.to is not None:
        data = {"name": str(options.data), "sha256": file_sha256(options.data), "bad_rows": bad_rows.count}
        write_json(options.to, report(found, sides, data))
        plain_console(stderr=True).print(f"Wrote {options.to}.")


def report(found: Comparison, sides: Sequence[dict[str, Any]], data: dict[str, Any]) -> dict[str, Any]:
    """The content of the JSON file."""
    return {
        "models": list(sides),
        "data": data,
        **asdict(found),
        "verdicts": {
            name: difference.verdict for name, difference in found.differences.items() if name != "calibration_error"
        },
    }


def speeds_of(scorers: "Sequence[Scorer]", texts: Sequence[str]) -> list[float]:
    """Texts a second of each model, in turns so that a busy machine slows all alike; the median of the repeats."""
    seconds: list[list[float]] = [[] for _ in scorers]
    for _ in range(REPEATS):
        for index, scorer in enumerate(scorers):
            started = time.perf_counter()
            scorer.score(texts)
            seconds[index].append(time.perf_counter() - started)
    return [len(texts) / statistics.median(times) for times in seconds]


def _side(name: str, scorer: "Scorer", speed: float) -> dict[str, Any]:
    path = Path(name) if scorer.identity["kind"] == "checkpoint" else bundles.resolve(name)
    files = [path] if path.is_file() else [file for file in path.iterdir() if file.is_file()]
    size = sum(file.stat().st_size for file in files)
    return {**scorer.identity, "labels": scorer.labels, "bytes": size, "texts_per_second": round(speed, 1)}


def _print(options: CompareOptions, found: Comparison, sides: Sequence[dict[str, Any]]) -> None:
    console = plain_console()
    names = ("first: ", (options.first, "bold"), "\nsecond: ", (options.second, "bold"))
    console.print(Text.assemble("\n", (str(options.data), "bold"), f", {found.rows:,} texts\n", *names, "\n"))
    console.print(_figures(found, sides))
    for side in sides:
        if side["texts_with_labels_it_lacks"]:
            console.print(f"{side['path']} lacks the labels of {side['texts_with_labels_it_lacks']:,} texts.")
    if found.without_tokens:
        console.print(f"Left out {found.without_tokens:,} texts without a token.")
    apart = found.disagreements
    console.print(
        f"\nOnly the first is right on {apart.only_first:,} texts, only the second on {apart.only_second:,} (McNemar's "
        f"exact test: p = {apart.p_value:.2g}); both are wrong, differently, on {apart.both_wrong:,}."
    )
    headline = list(found.differences.items())[:2]
    verdicts = [f"{difference.verdict} by {ALL_METRICS[name].title}" for name, difference in headline]
    console.print(f"The second is {', '.join(verdicts)}.\n")
    if found.flips:
        console.print(_flips(found.flips))


def _figures(found: Comparison, sides: Sequence[dict[str, Any]]) -> Table:
    table = plain_table("in percent", "first", "second", "difference")
    for name, gap in found.differences.items():
        shown = f"{100 * gap.value:+.1f} ({100 * gap.low:.1f}, {100 * gap.high:.1f})"
        table.add_row(ALL_METRICS[name].title, _estimate(found.first[name]), _estimate(found.second[name]), shown)
    table.add_row("size", *(f"{side['bytes'] / 1e6:.1f} MB" for side in sides), "")
    table.add_row("texts a second", *(f"{side['texts_per_second']:,.0f}" for side in sides), "")
    return table


def _estimate(estimate: Estimate) -> str:
    return f"{100 * estimate.value:.1f} ({100 * estimate.low:.1f}-{100 * estimate.high:.1f})"


def _flips(flips: Sequence[Flip]) -> Table:
    table = plain_table("line", "true", "first", "second", "text", left=5)
    for flip in flips:
        text = flip.text if len(flip.text) <= SHOWN_CHARACTERS else f"{flip.text[:SHOWN_CHARACTERS]}…"
        table.add_row(
            f"{flip.line:,}",
            Text(flip.label),
            Text(f"{flip.first} {flip.first_score:.0%}"),
            Text(f"{flip.second} {flip.second_score:.0%}"),
            Text(text),
        )
    return table
