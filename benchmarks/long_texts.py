"""Whether a long review is answered as well as its beginning: accuracy of whole texts and of their first tokens.

    python -m benchmarks.long_texts DATA [--model default]

The texts of each set that have more than 500 tokens are answered twice, whole and cut after 500, and compared by which
of positive and negative has the higher score. An exact McNemar test tells whether the difference may be chance.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.stats import binomtest

from model_store import Prediction, SentimentModel
from training.data.examples import Example
from training.recipes.default.measured_sets import MEASURED

SETS = ("IMDb test", "amazon_reviews")
FIRST = 500
LENGTHS = ((501, 1000), (1001, 2000), (2001, 10**9))


def right(answers: Sequence[Prediction], examples: Sequence[Example]) -> NDArray[np.bool_]:
    """(texts,) whether the higher of both polar scores is that of the text's label."""
    sides = [answer.scores["positive"] > answer.scores["negative"] for answer in answers]
    return np.array([side == (example.label == "positive") for side, example in zip(sides, examples, strict=True)])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="default")
    arguments = parser.parse_args()
    model = SentimentModel.load(arguments.model)
    table = Table("set", "tokens", "texts", "whole", f"first {FIRST}", "p of no difference")
    for measured in (measured for measured in MEASURED if measured.name in SETS):
        examples = list(measured.examples(arguments.data))
        counts = np.array([len(model.tokenize(example.text)) for example in examples])
        for low, high in LENGTHS:
            chosen = [examples[row] for row in np.flatnonzero((counts >= low) & (counts <= high))]
            if not chosen:
                continue
            texts = [example.text for example in chosen]
            beginnings = [text[: model.tokenize(text).ends[FIRST - 1]] for text in texts]
            whole, first = (right(model.predict(some), chosen) for some in (texts, beginnings))
            better, worse = int((whole & ~first).sum()), int((first & ~whole).sum())
            chance = binomtest(better, better + worse).pvalue if better + worse else 1.0
            tokens = f"{low:,} to {min(high, counts.max()):,}"
            table.add_row(
                measured.name,
                tokens,
                f"{len(chosen):,}",
                f"{100 * whole.mean():.1f}%",
                f"{100 * first.mean():.1f}%",
                f"{chance:.2f}",
            )
    Console().print(table)


if __name__ == "__main__":
    main()
