"""The data sets that the shipped model learns from: labeled texts, unlabeled ones, and sentences cut from reviews."""

import gzip
import json
import random
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from sentencex import segment

from training.data.examples import Example
from training.recipes.default.measured_sets import BINARY, LINE_BREAKS, THREE

SENTENCE_WORDS = range(5, 36)
"""Shorter sentences say little. Longer ones are mostly several that the splitter did not separate."""

DOMAINS = ("goemotions", "newsmtsc", "senti4sd", "amazon_polarity", "mams")
"""Folders of data sets of other domains. Texts without one of the three labels are unlabeled, those of MAMS all."""


def read_source(path: Path, *, excluded: Collection[str] = ()) -> Iterator[Example]:
    """Texts of gzipped JSON lines with the key text and, if present, label and id.

    Args:
        path: the file. The labels are negative, neutral and positive, or 0 and 1 for the first and the last.
        excluded: ids of texts to skip.

    Yields:
        Examples whose label is empty if the file has another label or none.
    """
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line_number, line in enumerate(lines, start=1):
            row = json.loads(line)
            if row.get("id") in excluded:
                continue
            label = BINARY.get(str(row.get("label")), row.get("label"))
            text = LINE_BREAKS.sub("\n", row["text"]).strip()
            yield Example(text=text, label=label if label in THREE else "", line=line_number)


def read_excluded_ids(path: Path) -> set[str]:
    """The first column of a tab-separated file with a header."""
    rows = path.read_text(encoding="utf-8").splitlines()[1:]
    return {row.partition("\t")[0] for row in rows}


def sentences(documents: Iterable[Example], *, seed: int) -> list[str]:
    """All different sentences of medium length in the documents, in random order."""
    distinct: dict[str, None] = {}  # a set that keeps its order, so that the draw is the same everywhere
    for document in documents:
        for line in document.text.splitlines():
            for sentence in segment("en", line):
                text = sentence.strip()
                if len(text.split()) in SENTENCE_WORDS:
                    distinct[text] = None
    shuffled = list(distinct)
    random.Random(seed).shuffle(shuffled)  # noqa: S311 - not a secret
    return shuffled
