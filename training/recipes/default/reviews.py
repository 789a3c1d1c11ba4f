"""Reviews as documents to learn from and to measure on, and as single sentences for a teacher to score."""

import gzip
import json
import random
import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from sentencex import segment

from training.data.examples import Example
from training.data.splitting import deal

LINE_BREAKS = re.compile(r"(?:\s*<br\s*/?>\s*)+")
"""The data set's reviews are pieces of web pages; nobody sends such breaks to a service."""

SENTENCE_WORDS = range(5, 36)
"""Shorter ones say little, longer ones are mostly several that the splitter did not cut."""

LABELS = {0: "negative", 1: "positive"}


def read_reviews(path: Path, *, left_out: Collection[str]) -> Iterator[Example]:
    """Reviews as a person would write them; unlabelled ones have an empty label.

    Args:
        path: JSON lines of label (0, 1 or null), text and, where some are left out, id; gzipped.
        left_out: ids of reviews to pass over.
    """
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            review = json.loads(line)
            if not left_out or review["id"] not in left_out:
                text = LINE_BREAKS.sub("\n", review["text"]).strip()
                yield Example(text=text, label=LABELS.get(review["label"], ""), line=number)


def ids_left_out(path: Path) -> set[str]:
    """The first column of a tab-separated file with a header."""
    rows = path.read_text(encoding="utf-8").splitlines()[1:]
    return {row.partition("\t")[0] for row in rows}


def documents(reviews: Iterable[Example], *, validation: float, seed: int) -> tuple[list[Example], list[Example]]:
    """To learn from, and a share to validate with; neither knows a text of the other."""
    learnt, checked = deal(reviews, [1 - validation, validation], seed=seed)
    return learnt, checked


def sentences(reviews: Iterable[Example], *, seed: int) -> list[str]:
    """All different sentences of middling length that the reviews hold, in random order."""
    found: dict[str, None] = {}  # a set that keeps its order, so that the draw is the same everywhere
    for review in reviews:
        for line in review.text.splitlines():
            for sentence in segment("en", line):
                text = sentence.strip()
                if len(text.split()) in SENTENCE_WORDS:
                    found[text] = None
    every = list(found)
    random.Random(seed).shuffle(every)  # noqa: S311 - no secret
    return every
