"""How accurate a bundle is beside VADER, TextBlob, TF-IDF with logistic regression, and fastText, in one run.

    pip install -e ".[train,benchmarks]" -c constraints.txt
    python -m benchmarks.accuracy DATA [--bundle default] [--to figures.json] [--rows 2000]

DATA holds the folders sst, imdb, cr, amazon_reviews, yelp_sentences, airline_tweets and finance. The two learners are
trained here, once on the treebank's phrases and once on IMDb's reviews, the same texts for both. Everything is measured
on the same texts with the same code; intervals are 95% bootstrap intervals over texts. Prints Markdown tables.

On texts with two labels a system with a neutral one is asked whether positive outweighs negative; its calibration error
is that of the two scores shared out anew. About half an hour on one core; --rows N takes N texts a set, for a first
look.
"""

import argparse
import json
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
from rich.console import Console

from benchmarks import baselines
from benchmarks.baselines import Labels, Scores, System
from benchmarks.labelled_sets import THREE, TWO, LabelledSet, sets_to_measure, training_set
from training.evaluation import metrics
from training.evaluation.metrics import METRICS, Estimate, Outcomes

LIBRARIES = ("scikit-learn", "vaderSentiment", "textblob", "fasttext-wheel", "onnxruntime", "numpy")
SYSTEMS = ("bundle", "vader", "textblob", "linear", "fasttext")
YELP_ROWS = 20_000  # of 126,670: an interval of half a point either way is narrow enough


@dataclass(frozen=True, slots=True)
class Measured:
    """One system on one set; ``figures`` lacks the calibration error where the scores are no probabilities."""

    data: str
    labels: tuple[str, ...]
    rows: int
    system: str
    training_data: str | None
    figures: dict[str, Estimate]


def main() -> None:
    """Measures, prints Markdown, and writes JSON where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder of labelled data")
    parser.add_argument("--bundle", default="default", help="a bundle's folder, or default")
    parser.add_argument("--to", type=Path, help="write every figure as JSON to this file too")
    parser.add_argument("--rows", type=int, default=0, help="at most so many texts a set, drawn at random; 0 for all")
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=SYSTEMS, help="what is measured")
    parser.add_argument(
        "--no_opinion",
        choices=TWO,
        default="positive",
        help="what a lexicon's 0 counts as among two labels (default: positive)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of samples and of the bootstrap")
    options = parser.parse_args()
    console = Console(stderr=True)
    sets = [
        _cut(one, options.rows, options.seed)
        for one in sets_to_measure(options.data, yelp_rows=YELP_ROWS, seed=options.seed)
    ]
    measured = []
    for system in systems(options):
        known: dict[tuple[Labels, str], Scores] = {}
        for one in sets:
            started = time.perf_counter()
            result = measure(system, one, known, seed=options.seed)
            if result is not None:
                value, seconds = result.figures["accuracy"].value, time.perf_counter() - started
                console.print(f"{_column(result)}, {one.name}: {value:.2%} of {result.rows:,}, {seconds:.0f} s")
                measured.append(result)
    print("\n".join(markdown(measured)))
    if options.to is not None:
        options.to.parent.mkdir(parents=True, exist_ok=True)
        options.to.write_text(json.dumps(as_json(measured, options), indent=2) + "\n", encoding="utf-8")


def systems(options: argparse.Namespace) -> Iterator[System]:
    """The bundle and what it is measured beside, one at a time so that no two trained models are in memory."""
    if "bundle" in options.systems:
        yield baselines.bundle(options.bundle)
    if "vader" in options.systems:
        yield baselines.vader(no_opinion=options.no_opinion)
    if "textblob" in options.systems:
        yield baselines.textblob(no_opinion=options.no_opinion)
    for name, words, kinds in (("sst", "SST phrases", (TWO, THREE)), ("imdb", "IMDb train", (TWO,))):
        for key, baseline in (("linear", baselines.linear), ("fasttext", baselines.fasttext)):
            if key in options.systems:
                yield baseline(
                    lambda labels, name=name: training_set(options.data, name, labels), data=words, kinds=kinds
                )


def measure(system: System, one: LabelledSet, known: dict[tuple[Labels, str], Scores], *, seed: int) -> Measured | None:
    """The system's figures on the set; None where it cannot choose among the set's labels.

    Args:
        system: it is asked for texts that are not in ``known`` yet.
        one: the set.
        known: labels and text to scores; some sets are part of others.
        seed: of the bootstrap.
    """
    new = [text for text in dict.fromkeys(one.texts) if (one.labels, text) not in known]
    if new:
        found = system.score(new, one.labels)
        if found is None:
            return None
        known.update(((one.labels, text), row) for text, row in zip(new, found, strict=True))
    scores = np.stack([known[one.labels, text] for text in one.texts])
    truth = np.array([one.labels.index(label) for label in one.truth])
    outcomes = Outcomes.of_scores(scores, truth, polarities=[None] * len(one.labels))
    figures = metrics.with_intervals(outcomes, seed=seed)
    if not system.probabilities:
        del figures["calibration_error"]
    return Measured(one.name, one.labels, len(one), system.name, system.training_data, figures)


def markdown(measured: Sequence[Measured]) -> Iterator[str]:
    """A table a figure and number of labels: a row a set, a column a system, percent with the interval."""
    for labels in (TWO, THREE):
        for name, metric in METRICS.items():
            shown = [one for one in measured if one.labels == labels and name in one.figures]
            # Of two labels accuracy is what others give; the JSON has both.
            if shown and not (labels == TWO and name == "macro_f1"):
                yield f"\n{metric.title[0].upper()}{metric.title[1:]}, {len(labels)} labels\n"
                yield from _table(shown, name)


def as_json(measured: Sequence[Measured], options: argparse.Namespace) -> dict[str, object]:
    """Every figure, and what it was measured with."""
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "bundle": options.bundle,
        "rows": options.rows or None,
        "seed": options.seed,
        "no_opinion": options.no_opinion,
        "coverage": metrics.COVERAGE,
        "resamples": metrics.RESAMPLES,
        "libraries": {name: version(name) for name in LIBRARIES},
        "measured": [asdict(one) for one in measured],
    }


def _table(shown: Sequence[Measured], name: str) -> Iterator[str]:
    columns = list(dict.fromkeys(_column(one) for one in shown))
    yield f"| test data | texts | {' | '.join(columns)} |"
    yield "|---" * (len(columns) + 2) + "|"
    for data, rows in dict.fromkeys((one.data, one.rows) for one in shown):
        of_data = {_column(one): one.figures[name] for one in shown if one.data == data}
        cells = [_cell(of_data[column]) if column in of_data else "-" for column in columns]
        yield f"| {data} | {rows:,} | {' | '.join(cells)} |"


def _column(one: Measured) -> str:
    trained_here = one.system in {"TF-IDF + LR", "fastText"}
    return f"{one.system} ({one.training_data})" if trained_here else one.system


def _cell(figure: Estimate) -> str:
    return f"{100 * figure.value:.1f} ({100 * figure.low:.1f}-{100 * figure.high:.1f})"


def _cut(one: LabelledSet, rows: int, seed: int) -> LabelledSet:
    if not rows or rows >= len(one):
        return one
    chosen = random.Random(seed).sample(range(len(one)), rows)  # noqa: S311 - no secret
    return LabelledSet(one.name, one.labels, [one.texts[row] for row in chosen], [one.truth[row] for row in chosen])


if __name__ == "__main__":
    main()
