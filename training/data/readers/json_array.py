"""Rows of a file that is one JSON array of objects, read in pieces."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from model_store.listing import listed
from training.data.examples import DataError, SkippedRows, Unit
from training.data.readers.encodings import AUTO
from training.data.readers.files import open_text
from training.data.readers.rows import Row, row_error

MAX_ELEMENT = 1 << 24
"""Characters of one element; with more, a string or an object is never closed."""

_CHUNK = 1 << 16
_SPACE = re.compile(r"[ \t\n\r]*")  # RFC 8259, section 2
_LONGEST_WORD = 20  # no number or literal that the end of a piece may cut needs more characters to be told


def read_json_array(
    path: Path, *, text_column: str, label_column: str, bad_rows: SkippedRows, encoding: str = AUTO
) -> Iterator[Row]:
    """Rows with their 1-based positions; an element that is not an object with both keys is a bad row."""
    for position, element in enumerate(_elements(path, encoding), start=1):
        try:
            if not isinstance(element, dict):
                raise row_error(
                    path,
                    position,
                    problem="this is not an object.",
                    fix="Every row needs one whole JSON object.",
                    unit="row",
                )
            require_keys(path, position, element, text_column=text_column, label_column=label_column, unit="row")
        except DataError as error:
            bad_rows.record(error)
        else:
            yield Row(line=position, text=element[text_column], label=element[label_column])


def starts_json_array(line: str) -> bool:
    """Whether a line begins as an array of objects does."""
    return line.lstrip().startswith("[") and line.lstrip()[1:].lstrip()[:1] in {"", "{"}


def require_keys(
    path: Path, line: int, fields: dict[str, object], *, text_column: str, label_column: str, unit: Unit = "line"
) -> None:
    """Raise the error for a key that an object does not have."""
    for key, option in ((text_column, "--text_column"), (label_column, "--label_column")):
        if key not in fields:
            raise _missing_key(path, line, key=key, option=option, found=list(fields), unit=unit)


class _Unread:
    """The unread part of a file, of which a piece is in memory."""

    def __init__(self, file: TextIO) -> None:
        self.file = file
        self.piece = ""
        self.start = 0

    def extend(self) -> bool:
        """Read on, twice as far each time, so that long elements are not scanned too often; False at the end."""
        rest = self.piece[self.start :]
        more = self.file.read(max(_CHUNK, len(rest))) if len(rest) < MAX_ELEMENT else ""
        self.piece, self.start = rest + more, 0
        return bool(more)

    def next_character(self) -> str:
        """The next character that is not white space, which stays unread; empty at the end."""
        while True:
            space = _SPACE.match(self.piece, self.start)
            self.start = space.end() if space else self.start
            if self.start < len(self.piece):
                return self.piece[self.start]
            if not self.extend():
                return ""

    def value(self) -> object:
        """The JSON value that comes next.

        Raises:
            ValueError: there is none, or it is too long.
            RecursionError: it is nested too deep.
        """
        self.next_character()
        while True:
            try:
                value, end = json.JSONDecoder().raw_decode(self.piece, self.start)
            except json.JSONDecodeError as error:
                cut = error.msg.startswith("Unterminated string") or error.pos > len(self.piece) - _LONGEST_WORD
                if not (cut and self.extend()):
                    raise
            else:
                if end < len(self.piece) or not self.extend():  # else the number may go on
                    self.start = min(end, len(self.piece))
                    return value


def _elements(path: Path, encoding: str) -> Iterator[object]:
    position = 1
    with open_text(path, encoding) as file:
        unread = _Unread(file)
        if (first := unread.next_character()) != "[":
            problem = f"this is not a JSON array, which begins with [, but begins with {first!r}."
            raise DataError(path, None, problem=problem, fix="Pass --format=jsonl if there is one object a line.")
        unread.start += 1
        if unread.next_character() == "]":
            return
        while True:
            try:
                value = unread.value()
            except UnicodeDecodeError:  # a ValueError too, but of the encoding
                raise
            except (ValueError, RecursionError) as error:
                raise _not_json(path, position, reason=getattr(error, "msg", str(error))) from error
            yield value
            mark = unread.next_character()
            if mark not in {",", "]"}:
                reason = "a comma or ] is missing after it" if mark else "the array is never closed"
                raise _not_json(path, position, reason=reason)
            unread.start += 1
            if mark == "]":
                return
            position += 1


def _not_json(path: Path, position: int, *, reason: str) -> DataError:
    problem, fix = f"this is not JSON ({reason}).", "Check the file, or its format (--format)."
    return DataError(path, position, problem=problem, fix=fix, unit="row")


def _missing_key(path: Path, line: int, *, key: str, option: str, found: list[str], unit: Unit = "line") -> DataError:
    return row_error(
        path,
        line,
        problem=f'the object has no "{key}" (keys found: {listed(found)}).',
        fix=f"Name the right key with {option}.",
        unit=unit,
    )
