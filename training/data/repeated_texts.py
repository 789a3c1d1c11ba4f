"""Texts that repeat one another in a file, found in 28 bytes a row."""

import hashlib
import re
from array import array
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.data.text_fingerprint import text_fingerprint

SHOWN = 5
"""Number of repeated texts whose lines are given."""

_LINES_SHOWN = 5  # of each
_HASH_BYTES = 8  # two of a million texts share one by chance in 40 million files
_CHANGING = re.compile(r"https?://\S+|www\.\S+|[@#]?\w*\d\w*|@\w+")
"""What differs between copies of one text: links, user names, and words with a digit."""


@dataclass(frozen=True, slots=True)
class Repeats:
    """Texts that occur more than once.

    Attributes:
        texts: number of different texts that do.
        rows: number of rows beyond the first of each.
        first: the first few of them in the order of the file: the first few lines of each.
    """

    texts: int
    rows: int
    first: list[list[int]]


class RepeatedTexts:
    """Collects a file's texts as hashes, with their labels and lines."""

    def __init__(self) -> None:
        self._same = array("Q")
        self._similar = array("Q")
        self._lines = array("Q")
        self._labels = array("I")

    def add(self, text: str, *, label: int, line: int) -> None:
        """Note a row; ``label`` is the label's number."""
        self._same.append(_hash_of(text_fingerprint(text)))
        self._similar.append(_hash_of(_skeleton(text)))
        self._lines.append(line)
        self._labels.append(label)

    def duplicates(self) -> Repeats:
        """Rows with the same text, as ``text_fingerprint`` says, whatever their labels."""
        return self._repeats(_groups(self._same))

    def contradictions(self) -> Repeats:
        """Those whose rows have different labels."""
        labels = np.frombuffer(self._labels, dtype=np.uint32)
        return self._repeats([rows for rows in _groups(self._same) if len(np.unique(labels[rows])) > 1])

    def similar(self) -> Repeats:
        """Different texts that have the same words but for links, user names and numbers."""
        same = np.frombuffer(self._same, dtype=np.uint64)
        return self._repeats([rows for rows in _groups(self._similar) if len(np.unique(same[rows])) > 1])

    def _repeats(self, groups: list[NDArray[np.intp]]) -> Repeats:
        groups = sorted(groups, key=lambda rows: int(rows[0]))
        return Repeats(
            texts=len(groups),
            rows=sum(len(rows) - 1 for rows in groups),
            first=[[self._lines[row] for row in rows[:_LINES_SHOWN]] for rows in groups[:SHOWN]],
        )


def _groups(hashes: "array[int]") -> list[NDArray[np.intp]]:
    """The rows of each value that occurs more than once, ascending."""
    values = np.frombuffer(hashes, dtype=np.uint64)
    order = np.argsort(values, kind="stable")
    bounds = np.concatenate([[0], np.flatnonzero(np.diff(values[order])) + 1, [len(order)]])
    repeated = np.flatnonzero(np.diff(bounds) > 1)
    return [order[bounds[run] : bounds[run + 1]] for run in repeated]


def _skeleton(text: str) -> str:
    """The different words of a text in the order of the alphabet, without those that change between copies.

    A text of fewer than four such words is itself: "great 10" and "great 2" are alike by chance.
    """
    words = {text_fingerprint(word) for word in _CHANGING.sub(" ", text).split()}
    enough = 4
    return " ".join(sorted(words)) if len(words) >= enough else text_fingerprint(text)


def _hash_of(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=_HASH_BYTES).digest())
