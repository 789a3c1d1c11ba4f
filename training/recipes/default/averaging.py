"""The mean of two teachers' scores, where the second has scored some of the texts."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from pyarrow import parquet

from training.data.readers.parquet import TEACHER
from training.distillation.scorers import SMALLEST, LogProbabilities
from training.distillation.scoring import write_scores
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
    sums = np.array([[merge.get(own, own) == label for label in labels] for own in own_labels], dtype=np.float64)
    probabilities = np.exp(own_scores) @ sums  # (texts, labels)
    row_of = {text: row for row, text in enumerate(parquet.read_table(second, columns=["text"])["text"].to_pylist())}
    found = [(index, row_of[original]) for index, original in enumerate(originals(texts)) if original in row_of]
    both, rows = (list(numbers) for numbers in zip(*found, strict=True)) if found else ([], [])
    probabilities[both] = (probabilities[both] + np.exp(known[rows])) / 2
    scores = np.log(np.maximum(probabilities, SMALLEST)).astype(np.float32)
    write_scores(texts, scores, labels, to=to, teachers="two teachers, their mean where both have scored")


def originals(texts: Sequence[Text]) -> Iterator[str]:
    """Each text, or what it is a copy of: the first one of its group."""
    group, original = None, ""
    for text in texts:
        if text.group is None or text.group != group:
            group, original = text.group, text.text
        yield original


def read_scores(path: Path) -> tuple[list[str], LogProbabilities]:
    """The labels of a file of scores, and its (texts, labels) log-probabilities."""
    columns = [name for name in parquet.read_schema(path).names if name.startswith(TEACHER)]
    table = parquet.read_table(path, columns=columns)
    scores = np.stack([table.column(name).to_numpy() for name in columns], axis=1)
    return [name.removeprefix(TEACHER) for name in columns], scores
