"""The labeled texts that ``accuracy`` measures on, and those its baselines learn from."""

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from training.data.examples import Example
from training.data.leakage import LeakageFilter, drop_leaks, skipped_leaks
from training.data.readers import ReadingOptions, read_examples
from training.recipes.default.measured_sets import BINARY, MEASURED, SST_THREE, SST_TWO, TWO, MeasuredSet

LESSONS: Mapping[str, tuple[str, str, Mapping[str, object]]] = {
    "SST phrases": ("sst/train.txt.gz", "sst/test.txt.gz", {"trees": "phrases"}),
    "SST sentences": ("sst/train.txt.gz", "sst/test.txt.gz", {"trees": "root"}),
    "IMDb train": ("imdb/train.jsonl.gz", "imdb/test.jsonl.gz", {}),
}
"""What can be learned from: the file, the test file whose texts are left out, and how the first is read."""


@dataclass(frozen=True, slots=True)
class LabeledSet:
    """Texts with their labels' names, and the set of labels."""

    name: str
    labels: tuple[str, ...]
    texts: list[str]
    truth: list[str]

    def __len__(self) -> int:
        return len(self.texts)

    def sample(self, rows: int, *, seed: int) -> "LabeledSet":
        """At most ``rows`` texts of the set, drawn at random."""
        if rows >= len(self):
            return self
        chosen = random.Random(seed).sample(range(len(self)), rows)  # noqa: S311 - not for cryptography
        return LabeledSet(
            self.name, self.labels, [self.texts[row] for row in chosen], [self.truth[row] for row in chosen]
        )


def sets_to_measure(folder: Path) -> Iterator[LabeledSet]:
    """Every set of the recipe, read one at a time; after ``amazon_reviews`` each of its domains."""
    for measured in MEASURED:
        examples = list(measured.examples(folder))
        yield _labeled_set(measured.name, measured.labels, examples)
        if measured.name == "amazon_reviews":
            yield from _by_domain(measured, examples, folder)


def training_set(folder: Path, name: str, labels: tuple[str, ...]) -> LabeledSet:
    """The texts to learn from, without those that are also in the test file.

    Args:
        folder: of the data sets.
        name: one of ``LESSONS``.
        labels: two, or three with a neutral one, which IMDb lacks.
    """
    label_map = BINARY if name == "IMDb train" else SST_TWO if labels == TWO else SST_THREE
    train, test, options = LESSONS[name]
    examples = MeasuredSet(name, labels, train, {**options, "label_map": label_map}).examples(folder)
    leaks = LeakageFilter([folder / test], min_words=1)
    return _labeled_set(name, labels, drop_leaks(examples, leaks, skipped_leaks("drop"), path=folder / train))


def _by_domain(measured: MeasuredSet, examples: list[Example], folder: Path) -> Iterator[LabeledSet]:
    rows = read_examples(folder / measured.path, ReadingOptions(label_column="domain"))
    domains = {row.line: row.label for row in rows}
    for domain in sorted(set(domains.values())):
        of_domain = [example for example in examples if domains[example.line] == domain]
        yield _labeled_set(f"{measured.name}: {domain}", measured.labels, of_domain)


def _labeled_set(name: str, labels: tuple[str, ...], examples: Iterable[Example]) -> LabeledSet:
    rows = list(examples)
    return LabeledSet(name, labels, [row.text for row in rows], [row.label for row in rows])
