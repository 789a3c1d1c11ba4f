"""The mean of two teachers' scores, where the second has scored some of the texts."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from pyarrow import parquet

from training.distillation.scorers import logarithm, merged
from training.distillation.scoring import read_scores, write_scores
from training.distillation.texts import Text


def average_teachers(texts: Sequence[Text], first: Path, *, second: Path, merge: Mapping[str, str], to: Path) -> None:
    """Write the mean of two teachers' probabilities; of texts that the second has not scored, those of the first.

    A copy with another identity term has the score that the second teacher gave to the text it is a copy of.

    Args:
        texts: all texts, in the order of the first teacher's scores.
        first: scores of all of them.
        second: scores of some.
        merge: from labels of the first teacher to those of the second; a label that is not named stays.
        to: the file of scores to write.
    """
    labels, known = read_scores(second)
    own_labels, own_scores = read_scores(first)
    probabilities = merged(own_scores, own_labels, merge, into=labels)  # (texts, labels)
    row_of = {text: row for row, text in enumerate(parquet.read_table(second, columns=["text"])["text"].to_pylist())}
    rows = np.array([row_of.get(original, -1) for original in originals(texts)], dtype=np.int64)
    both = rows >= 0
    probabilities[both] = (probabilities[both] + np.exp(known[rows[both]])) / 2
    teachers = "two teachers, their mean where both have scored"
    write_scores(texts, logarithm(probabilities), labels, to=to, teachers=teachers)


def originals(texts: Sequence[Text]) -> Iterator[str]:
    """Each text, or what it is a copy of: the first one of its group."""
    group, original = None, ""
    for text in texts:
        if text.group is None or text.group != group:
            group, original = text.group, text.text
        yield original
