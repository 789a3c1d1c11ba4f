"""How often a document that praises and blames is found, and how often one that is found does.

    python -m benchmarks.mixed DATA [--model default]

Composes documents of two to six sentences that the model has not learned from. Every second one has a sentence of each
side, the others of one side only; each has its neutral sentences where the set has some. A document counts as found if
``model_store.results.is_mixed`` says so of its sentences' polarities. The rule's threshold was chosen on the first
table, of validation sentences; the second has the threshold in force and sentences that chose nothing.
"""

import argparse
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from model_store import SentimentModel
from model_store.results import MIXED_POLARITY, is_mixed
from training.data.examples import Example
from training.recipes.default.measured_sets import MEASURED, SST_TWO, TWO, MeasuredSet

VALIDATION = MeasuredSet("SST-2 validation", TWO, "sst/dev.txt.gz", {"label_map": SST_TWO})
TESTS = ("SST-2 test", "SST test", "Yelp sentences", "CR")
THRESHOLDS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
DOCUMENTS = 4_000
SENTENCES = range(2, 7)
MOST = 20_000
"""Sentences of a set, drawn at random; Yelp's has more."""


@dataclass(frozen=True)
class Document:
    """The polarities of its sentences, and whether it has some of both sides."""

    polarities: Sequence[float | None]
    is_mixed: bool


def documents(examples: Sequence[Example], model: SentimentModel, seed: int) -> list[Document]:
    """Documents of these sentences."""
    draw = random.Random(seed)  # noqa: S311 - not for cryptography
    chosen = draw.sample(examples, min(MOST, len(examples)))
    by_label: dict[str, list[float | None]] = {}
    for example, answer in zip(chosen, model.predict([example.text for example in chosen]), strict=True):
        by_label.setdefault(example.label, []).append(answer.polarity)
    neutral = [label for label in by_label if label not in TWO]
    composed = []
    for number in range(DOCUMENTS):
        mixed = number % 2 == 0
        sides = list(TWO) if mixed else [draw.choice(TWO)]
        others = draw.choice(SENTENCES) - len(sides)
        labels = [*sides, *(draw.choice([*sides, *neutral]) for _ in range(others))]
        composed.append(Document([draw.choice(by_label[label]) for label in labels], mixed))
    return composed


def rates(composed: Sequence[Document], threshold: float) -> str:
    """Precision and recall in percent."""
    found = [document for document in composed if is_mixed(document.polarities, threshold)]
    right = sum(document.is_mixed for document in found)
    recall = right / sum(document.is_mixed for document in composed)
    return f"{100 * right / max(1, len(found)):.1f} | {100 * recall:.1f}"


def main() -> None:
    """Compose and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="default")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    model = SentimentModel.load(arguments.model)
    print("| sentences | threshold | precision | recall |\n|---|---|---|---|")
    composed = documents(list(VALIDATION.examples(arguments.data)), model, arguments.seed)
    for threshold in THRESHOLDS:
        print(f"| {VALIDATION.name} | {threshold} | {rates(composed, threshold)} |")
    for measured in MEASURED:
        if measured.name in TESTS:
            composed = documents(list(measured.examples(arguments.data)), model, arguments.seed)
            print(f"| {measured.name} | {MIXED_POLARITY} | {rates(composed, MIXED_POLARITY)} |")


if __name__ == "__main__":
    main()
