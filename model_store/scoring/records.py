"""Rows of a file, the parts they are scored in, and the error of a file as a whole."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from model_store.listing import listed

PART_ROWS = 2048
"""A part ends with as many rows: two seconds of one core, lost at most when a run is killed."""

PART_CHARACTERS = 2_000_000
"""A part also ends with as many characters of text, some ten seconds of one core; it bounds memory for long texts."""

PART_CHARACTERS_WITH_TOKEN_VECTORS = 100_000
"""The same if every token's representation is kept: some 25,000 tokens."""

Kind = Literal["str", "int", "float", "bool", "json"]
"""What the values of a column are; ``json`` are values of several kinds, or lists and objects."""


class ScoreError(Exception):
    """A file that cannot be scored, or written; the message names it and says what to do."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row that could be read; its text may still be empty or missing.

    Attributes:
        line: 1-based line on which it starts; in Parquet files its row.
        text: of whatever type the file gives.
        fields: all columns by name, the text's too; empty if the part has them as an Arrow batch.
    """

    line: int
    text: object
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row without an answer.

    Attributes:
        line: as of a ``Row``.
        code: a stable word for programs to test.
        reason: what is wrong, in a sentence.
    """

    line: int
    code: str
    reason: str


@dataclass(frozen=True)
class Part:
    """Consecutive rows, scored by one worker at once and written to one file.

    Attributes:
        number: from 0.
        rows: those that could be read.
        bad: those that could not.
        size: what the part is of the input's size, for the time left.
        batch: the columns of ``rows`` as an Arrow record batch, or None if the rows have them.
    """

    number: int
    rows: list[Row] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)
    size: int = 0
    batch: Any = None


def cut(
    rows: Iterable[Row | BadRow], *, position: Callable[[], int], max_characters: int = PART_CHARACTERS
) -> Iterator[Part]:
    """Rows in parts, at least one. Where a part ends depends on the rows alone, so a second run cuts the same parts.

    Args:
        rows: to be cut.
        position: how far the input is read, in the unit of its size.
        max_characters: a part ends when its texts have as many.
    """
    number = characters = begin = 0
    part = Part(number)
    for row in rows:
        if isinstance(row, BadRow):
            part.bad.append(row)
        else:
            part.rows.append(row)
            characters += len(row.text) if isinstance(row.text, str) else 0
        if characters >= max_characters or len(part.rows) + len(part.bad) >= PART_ROWS:
            end = position()
            yield Part(number, part.rows, part.bad, size=end - begin)
            number, characters, begin = number + 1, 0, end
            part = Part(number)
    if part.rows or part.bad or number == 0:
        yield Part(number, part.rows, part.bad, size=position() - begin)


def missing_column(path: Path, found: Iterable[str], *, column: str) -> ScoreError:
    """The error for a file without the column of texts."""
    return ScoreError(
        f'{path}: it has no column "{column}" (columns found: {listed(found)}). '
        "Name the column of the texts with --text_column."
    )
