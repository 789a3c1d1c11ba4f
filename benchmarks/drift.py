"""How soon other texts are seen to be of another kind, and how often the usual ones are by mistake.

    python -m benchmarks.drift DATA [--model default]

The reference is what the model makes of some of IMDb's test reviews. Windows of the others, drawn at random, are usual:
an index above the limit is a false alarm. Then come 1,000 such reviews and after them airline tweets, one by one.
"""

import argparse
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model_store import SentimentModel
from model_store.drift import Binning, jensen_shannon, measure_reference, observe, stability_index
from training.recipes.default.measured_sets import MEASURED

LIMIT = 0.25
"""The alert's, in deploy/prometheus-rules.yml."""

WINDOW = 1_000
WINDOWS = 200
REVIEWS = 6_000
"""Of each part: some three minutes on one core."""

SWITCHES = 20
"""How often the kind of the texts changes, at other reviews and other tweets each time."""

Bins = Sequence[int]
"""Of one quantity, text by text."""


def counted(bins: Bins, expected: NDArray[np.int64]) -> NDArray[np.int64]:
    """(bins,) counts."""
    return np.bincount(bins, minlength=len(expected))


def texts_until_seen(expected: NDArray[np.int64], usual: Bins, other: Bins) -> int | None:
    """After how many other texts the index is above the limit; None if a whole window of them does not do it."""
    counts = counted(usual, expected)
    for number, (old, new) in enumerate(zip(usual, other, strict=True), start=1):
        counts[old] -= 1
        counts[new] += 1
        if stability_index(expected, counts) > LIMIT:
            return number
    return None


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="default")
    arguments = parser.parse_args()
    model = SentimentModel.load(arguments.model)
    draw = random.Random(0)  # noqa: S311 - not for cryptography
    sets = {measured.name: measured for measured in MEASURED}
    reviews, others = (
        [example.text for example in sets[name].examples(arguments.data)] for name in ("IMDb test", "airline tweets")
    )
    reviews = draw.sample(reviews, 2 * REVIEWS)
    binning = Binning(measure_reference(model, reviews[:REVIEWS], data="IMDb"))
    usual = [binning.bins(observe(answer)) for answer in model.predict(reviews[REVIEWS:])]
    tweets = [binning.bins(observe(answer)) for answer in model.predict(others)]
    print("| quantity | usual: largest index | false alarms | tweets: index | divergence | seen after texts |")
    print("|---|---|---|---|---|---|")
    for (name, expected), reviews_bins, tweets_bins in zip(
        binning.reference.items(), zip(*usual, strict=True), zip(*tweets, strict=True), strict=True
    ):
        windows = [counted(draw.sample(reviews_bins, WINDOW), expected) for _ in range(WINDOWS)]
        indices = [stability_index(expected, window) for window in windows]
        alarms = sum(index > LIMIT for index in indices)
        other = counted(tweets_bins, expected)
        after = [
            texts_until_seen(expected, draw.sample(reviews_bins, WINDOW), draw.sample(tweets_bins, WINDOW))
            for _ in range(SWITCHES)
        ]
        print(
            f"| {name} | {max(indices):.3f} | {alarms} of {WINDOWS} | {stability_index(expected, other):.2f} "
            f"| {jensen_shannon(expected, other):.2f} | {_range(after)} |"
        )


def _range(after: Sequence[int | None]) -> str:
    found = [number for number in after if number is not None]
    return f"{min(found)} to {max(found)}" if len(found) == len(after) else f"not in {len(after) - len(found)}"


if __name__ == "__main__":
    main()
