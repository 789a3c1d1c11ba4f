"""Groups of texts that are nearly the same, such as a tweet and its copy with another link or one more word.

MinHash (Broder 1997): two texts have the same smallest hash of their word pairs with a probability equal to the pairs'
Jaccard similarity. Texts that agree in a whole band of such hashes are compared; those that are similar are one group.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from training.data.text_fingerprint import text_fingerprint

SIMILARITY = 0.7
"""Texts that share at least this part of their word pairs are near-duplicates."""

BANDS, ROWS = 16, 4
"""Of a pair at the limit, 99% agree in a band: 1 - (1 - 0.7^4)^16."""

_CHANGING = re.compile(r"https?://\S+|[@#]\w+|\d+")  # links, names and numbers, which copies differ in
_WORD = re.compile(r"\w+")
_PRIME = (1 << 61) - 1
_MOST_COMPARED = 50  # texts of one bucket: more are greetings or templates, and their first ones stand for all


def group_near_duplicates(texts: Sequence[str]) -> list[int]:
    """For each text the index of the first text of its group."""
    shingles = [_shingles(text) for text in texts]
    parents = list(range(len(texts)))
    equal: dict[str, int] = {}
    for index, text in enumerate(texts):
        _join(parents, index, equal.setdefault(text_fingerprint(text), index))
    signatures = _signatures(shingles)  # (texts, bands, rows)
    for band in range(BANDS):
        buckets: dict[bytes, list[int]] = defaultdict(list)
        for index, key in enumerate(signatures[:, band]):
            if shingles[index]:
                buckets[key.tobytes()].append(index)
        for members in buckets.values():
            _compare(members, shingles, parents)
    return [_root(parents, index) for index in range(len(texts))]


def _shingles(text: str) -> frozenset[int]:
    """Hashes of the word pairs, without links, names and numbers; of the word if there is only one."""
    words = _WORD.findall(_CHANGING.sub(" ", text).casefold())
    pairs = pairwise(words) if len(words) > 1 else [(word, "") for word in words]
    return frozenset(crc32(f"{first} {second}".encode()) for first, second in pairs)


def _signatures(shingles: Sequence[frozenset[int]]) -> NDArray[np.uint64]:
    """(texts, bands, rows) smallest hashes."""
    generator = np.random.default_rng(0)
    count = BANDS * ROWS
    factors = generator.integers(1, 1 << 31, size=(count, 1), dtype=np.uint64)
    offsets = generator.integers(0, 1 << 31, size=(count, 1), dtype=np.uint64)
    signatures = np.zeros((len(shingles), count), dtype=np.uint64)
    for index, hashes in enumerate(shingles):
        if hashes:
            values = np.fromiter(hashes, dtype=np.uint64, count=len(hashes))
            signatures[index] = ((factors * values + offsets) % np.uint64(_PRIME)).min(axis=1)
    return signatures.reshape(len(shingles), BANDS, ROWS)


def _compare(members: Sequence[int], shingles: Sequence[frozenset[int]], parents: list[int]) -> None:
    for position, index in enumerate(members):
        for other in members[: min(position, _MOST_COMPARED)]:
            if _root(parents, index) == _root(parents, other):
                continue
            shared, either = len(shingles[index] & shingles[other]), len(shingles[index] | shingles[other])
            if shared >= SIMILARITY * either:
                _join(parents, index, other)


def _root(parents: list[int], index: int) -> int:
    while parents[index] != index:
        parents[index] = parents[parents[index]]
        index = parents[index]
    return index


def _join(parents: list[int], index: int, other: int) -> None:
    """Make two groups one, whose root is its first text."""
    first, second = sorted((_root(parents, index), _root(parents, other)))
    parents[second] = first
