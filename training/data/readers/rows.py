"""A row as its file has it, before any check, and the errors all formats share."""

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from model_store.listing import listed
from training.data.examples import DataError, Unit

SKIP_BAD_ROWS = "Pass --on_bad_row=skip to leave such rows out and count them."

_USUAL_NAMES = {
    "--text_column": {
        *("text", "texts", "review", "reviews", "reviewtext", "review_text", "tweet", "tweets", "sentence", "content"),
        *("comment", "comments", "message", "body", "post", "document", "feedback", "description"),
    },
    "--label_column": {
        *("label", "labels", "sentiment", "airline_sentiment", "polarity", "class", "category", "target", "topic"),
        *("rating", "ratings", "stars", "score", "overall", "emotion"),
    },
}
"""What columns of texts and labels are often called, in lower case."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row's text and label, of whatever type the file gives them.

    Attributes:
        line: 1-based line, or row for Parquet.
        teacher: what a teacher makes of the text; see ``Example``.
    """

    line: int
    text: object
    label: object
    teacher: Mapping[str, float] | None = None


def row_error(path: Path, line: int, *, problem: str, fix: str, unit: Unit = "line") -> DataError:
    """An error about one row: its fix ends with how to leave such rows out."""
    return DataError(path, line, problem=problem, fix=f"{fix}\n{SKIP_BAD_ROWS}", unit=unit)


def require_columns(path: Path, found: Iterable[str], *, text_column: str, label_column: str) -> None:
    """Raise the error for a column that a file as a whole does not have."""
    names = list(found)
    for name, option in ((text_column, "--text_column"), (label_column, "--label_column")):
        if name not in names:
            raise DataError(
                path,
                None,
                problem=f'it has no column "{name}" (columns found: {listed(names)}).',
                fix=f"Name the right column with {option}{_perhaps(option, names)}.",
            )


def _perhaps(option: str, names: list[str]) -> str:
    likely = [name for name in names if "_".join(name.casefold().split()) in _USUAL_NAMES[option]]
    return f", perhaps {option}={shlex.quote(likely[0])}" if likely else ""
