"""Accuracy of a bundle, VADER, TextBlob, TF-IDF with logistic regression, fastText, averaged vectors, and networks.

    pip install -e ".[train,distill,benchmarks]" -c constraints.txt
    python -m benchmarks.accuracy DATA [--bundle default] [--to figures.json] [--rows 2000]
    python -m benchmarks.accuracy DATA --rows 2000 --to figures.json --systems network setfit minilm mpnet

DATA is the folder of the sets listed in training/recipes/default/measured_sets.py. The learners are trained here,
once on the treebank's phrases and once on IMDb's reviews. Every system is measured on the same texts with the same
code, with 95% bootstrap intervals over texts. Prints Markdown tables.

On a set of two labels, a system with a neutral label answers positive if that outweighs negative. Its calibration
error is that of the two scores, normalized to sum to 1. Takes about half an hour on one core; --rows N measures N texts
of each set, for a first look.

Networks are measured if they are named: this project's from nothing, SetFit, and fine-tuned MiniLM and MPNet take hours
on one core, and with all texts of the sets a day. What is in the file of --to stays, but for the systems that are
measured anew.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
from rich.console import Console

from benchmarks import baselines
from benchmarks.baselines import Labels, Scores, System
from benchmarks.labeled_sets import LESSONS, LabeledSet, sets_to_measure, training_set
from benchmarks.machine import LIBRARIES, installed
from benchmarks.neural_baselines import Pretrained, fine_tuned, network, set_fit
from training.evaluation import metrics
from training.evaluation.metrics import METRICS, Estimate, Outcomes
from training.recipes.default.measured_sets import THREE, TWO

SYSTEMS = ("bundle", "vader", "textblob", "linear", "fasttext", "static")
NETWORKS = ("network", "setfit", "minilm", "mpnet")
POLAR, BOTH = (TWO,), (TWO, THREE)
PHRASES_AND_REVIEWS: Mapping[str, Sequence[Labels]] = {"SST phrases": BOTH, "IMDb train": POLAR}
"""What learners learn from, and which labels; no review of IMDb's is neutral."""

MAX_ROWS = {"Yelp sentences": 20_000}  # of 126,670: an interval of half a point either way is narrow enough


@dataclass(frozen=True, slots=True)
class Measured:
    """One system on one set.

    Attributes:
        milliseconds: of the processor for a text, training not included; None if all texts were known before.
        size: of the system in bytes.
        learning_seconds: of the processor; None if it did not learn here.
        figures: without the calibration error if the scores are not probabilities.
    """

    data: str
    labels: tuple[str, ...]
    rows: int
    system: str
    training_data: str | None
    milliseconds: float | None
    size: int
    learning_seconds: float | None
    figures: dict[str, Estimate]


def main() -> None:
    """Measure, print Markdown, and write JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder of labeled data")
    parser.add_argument("--bundle", default="default", help="a bundle's folder, or default")
    parser.add_argument(
        "--pretrained",
        type=Path,
        default=Path("pretrained"),
        help="folder of all-MiniLM-L6-v2, whose token embeddings static takes, and all-mpnet-base-v2; without the "
        "first, static is left out",
    )
    parser.add_argument(
        "--learned", type=Path, default=Path("build/bench/learned"), help="folder of what networks have learned"
    )
    parser.add_argument("--to", type=Path, help="also write every figure as JSON to this file")
    parser.add_argument("--rows", type=int, default=0, help="texts of each set, drawn at random; 0 for all")
    parser.add_argument(
        "--systems", nargs="+", choices=SYSTEMS + NETWORKS, default=SYSTEMS, help="the systems to measure"
    )
    parser.add_argument(
        "--no_opinion",
        choices=TWO,
        default="positive",
        help="the label of a lexicon's 0 on sets of two labels (default: positive)",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the samples and of the bootstrap")
    options = parser.parse_args()
    console = Console(stderr=True)
    sets = [
        labeled.sample(options.rows or MAX_ROWS.get(labeled.name, len(labeled)), seed=options.seed)
        for labeled in sets_to_measure(options.data)
    ]
    earlier = kept(options) if options.to is not None and options.to.is_file() else []
    measured: list[Measured] = []
    for system in systems(options):
        known: dict[tuple[Labels, str], Scores] = {}
        for labeled in sets:
            started = time.perf_counter()
            result = measure(system, labeled, known, seed=options.seed)
            if result is not None:
                value, seconds = result.figures["accuracy"].value, time.perf_counter() - started
                console.print(f"{_column(result)}, {labeled.name}: {value:.2%} of {result.rows:,}, {seconds:.0f} s")
                measured.append(result)
        if options.to is not None:
            now = {result.system for result in measured}
            rows = [result for result in earlier if result.system not in now] + measured
            options.to.parent.mkdir(parents=True, exist_ok=True)
            options.to.write_text(json.dumps(as_json(rows, options), indent=2) + "\n", encoding="utf-8")
    print("\n".join(markdown(measured)))


def systems(options: argparse.Namespace) -> Iterator[System]:
    """The systems to measure, made one at a time, so that only one trained model is in memory."""
    if "bundle" in options.systems:
        yield baselines.bundle(options.bundle)
    if "vader" in options.systems:
        yield baselines.vader(no_opinion=options.no_opinion)
    if "textblob" in options.systems:
        yield baselines.textblob(no_opinion=options.no_opinion)
    small = Pretrained("MiniLM", options.pretrained / "all-MiniLM-L6-v2", options.learned)
    large = Pretrained("MPNet", options.pretrained / "all-mpnet-base-v2", options.learned)
    learners: dict[str, tuple[Callable[..., System], Mapping[str, Sequence[Labels]]]] = {
        "linear": (baselines.linear, PHRASES_AND_REVIEWS),
        "fasttext": (baselines.fasttext, PHRASES_AND_REVIEWS),
        "network": (partial(network, pretrained=small), {"SST phrases": BOTH}),
        "setfit": (partial(set_fit, pretrained=small), {"SST sentences": BOTH}),
        "minilm": (partial(fine_tuned, pretrained=small), {"SST sentences": BOTH, "SST phrases": POLAR}),
        "mpnet": (partial(fine_tuned, pretrained=large), {"SST sentences": BOTH}),
    }
    if small.folder.is_dir():
        learners["static"] = partial(baselines.static, folder=small.folder), PHRASES_AND_REVIEWS
    for name, (learner, lessons) in learners.items():
        for data, kinds in lessons.items() if name in options.systems else ():
            yield learner(lambda labels, data=data: training_set(options.data, data, labels), data=data, kinds=kinds)


def kept(options: argparse.Namespace) -> list[Measured]:
    """What was measured before on the same texts.

    Raises:
        SystemExit: it was measured on others.
    """
    study = json.loads(options.to.read_text(encoding="utf-8"))
    if (study["rows"] or 0, study["seed"]) != (options.rows, options.seed):
        message = f"{options.to} has figures of other texts: pass another --to, or the same --rows and --seed"
        raise SystemExit(message)
    return [
        Measured(
            **{
                **row,
                "labels": tuple(row["labels"]),
                "figures": {name: Estimate(**figure) for name, figure in row["figures"].items()},
            }
        )
        for row in study["measured"]
    ]


def measure(
    system: System, labeled: LabeledSet, known: dict[tuple[Labels, str], Scores], *, seed: int
) -> Measured | None:
    """Measure a system on a set.

    Args:
        system: it scores the texts that are not in ``known`` yet.
        labeled: the set.
        known: labels and text to scores, shared by sets that have texts in common.
        seed: of the bootstrap.

    Returns:
        The figures, or None if the system cannot choose among the set's labels.
    """
    labels = labeled.labels
    new = [text for text in dict.fromkeys(labeled.texts) if (labels, text) not in known]
    milliseconds = None
    if new:
        if system.score(new[:1], labels) is None:  # a learner learns at its first use
            return None
        started = time.process_time()
        new_scores = np.asarray(system.score(new, labels))
        milliseconds = 1000 * (time.process_time() - started) / len(new)
        known.update(((labels, text), row) for text, row in zip(new, new_scores, strict=True))
    scores = np.stack([known[labels, text] for text in labeled.texts])
    truth = np.array([labels.index(label) for label in labeled.truth])
    outcomes = Outcomes.of_scores(scores, truth, polarities=[None] * len(labels))
    figures = metrics.with_intervals(outcomes, seed=seed)
    if not system.probabilities:
        del figures["calibration_error"]
    return Measured(
        data=labeled.name,
        labels=labels,
        rows=len(labeled),
        system=system.name,
        training_data=system.training_data,
        milliseconds=milliseconds,
        size=system.size(labels),
        learning_seconds=system.seconds(labels),
        figures=figures,
    )


def markdown(measured: Sequence[Measured]) -> Iterator[str]:
    """One table for each figure and number of labels: sets by systems, in percent with the interval."""
    for labels in (TWO, THREE):
        for name, metric in METRICS.items():
            shown = [result for result in measured if result.labels == labels and name in result.figures]
            # For two labels, other publications give the accuracy only; the JSON has both.
            if shown and not (labels == TWO and name == "macro_f1"):
                yield f"\n{metric.title[0].upper()}{metric.title[1:]}, {len(labels)} labels\n"
                yield from _table(shown, name)


def as_json(measured: Sequence[Measured], options: argparse.Namespace) -> dict[str, object]:
    """Every figure, with the options and library versions it was measured with."""
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "bundle": options.bundle,
        "rows": options.rows or None,
        "seed": options.seed,
        "no_opinion": options.no_opinion,
        "coverage": metrics.COVERAGE,
        "resamples": metrics.RESAMPLES,
        "libraries": dict(installed(LIBRARIES["accuracy"])),
        "measured": [asdict(result) for result in measured],
    }


def _table(shown: Sequence[Measured], name: str) -> Iterator[str]:
    columns = list(dict.fromkeys(_column(result) for result in shown))
    yield f"| test data | texts | {' | '.join(columns)} |"
    yield "|---" * (len(columns) + 2) + "|"
    for data, rows in dict.fromkeys((result.data, result.rows) for result in shown):
        of_data = {_column(result): result.figures[name] for result in shown if result.data == data}
        cells = [_cell(of_data[column]) if column in of_data else "-" for column in columns]
        yield f"| {data} | {rows:,} | {' | '.join(cells)} |"


def _column(result: Measured) -> str:
    trained_here = result.training_data in LESSONS
    return f"{result.system} ({result.training_data})" if trained_here else result.system


def _cell(figure: Estimate) -> str:
    return f"{100 * figure.value:.1f} ({100 * figure.low:.1f}-{100 * figure.high:.1f})"


if __name__ == "__main__":
    main()
