"""Rows of JSON: one object a line (JSON Lines), or one array of objects a file."""

import json
from collections.abc import Iterator
from pathlib import Path

from training.data.examples import DataError, SkippedRows, Unit
from training.data.readers.files import read_lines, read_text_lines
from training.data.readers.rows import Row, listed, row_error


def read_json_lines(path: Path, *, text_column: str, label_column: str, bad_rows: SkippedRows) -> Iterator[Row]:
    """Rows with their lines; a line that is not an object with both keys is a bad row."""
    for line, text in read_text_lines(path, bad_rows):
        if line == 1 and starts_json_array(text):
            raise DataError(
                path, None, problem="this is one JSON array, not an object a line.", fix="Pass --format=json."
            )
        try:
            fields = _object(path, line, text=text)
            _require_keys(path, line, fields, text_column=text_column, label_column=label_column)
        except DataError as error:
            bad_rows.record(error)
        else:
            yield Row(line=line, text=fields[text_column], label=fields[label_column])


def read_json_array(path: Path, *, text_column: str, label_column: str, bad_rows: SkippedRows) -> Iterator[Row]:
    """Rows with their 1-based positions; an element that is not an object with both keys is a bad row.

    The file is held in memory, since an array cannot be read line by line.
    """
    content = b"".join(line for _, line in read_lines(path))
    try:
        elements = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DataError(
            path, None, problem=f"this is not JSON ({error}).", fix="Check the file, or its format (--format)."
        ) from error
    if not isinstance(elements, list):
        raise DataError(path, None, problem="this is JSON, but not an array.", fix="Write one object a line.")
    for position, element in enumerate(elements, start=1):
        try:
            if not isinstance(element, dict):
                raise _malformed(path, position, problem="this is not an object.", unit="row")
            _require_keys(path, position, element, text_column=text_column, label_column=label_column, unit="row")
        except DataError as error:
            bad_rows.record(error)
        else:
            yield Row(line=position, text=element[text_column], label=element[label_column])


def starts_json_array(line: str) -> bool:
    """Whether a line begins as an array of objects does."""
    return line.lstrip().startswith("[") and line.lstrip()[1:].lstrip()[:1] in {"", "{"}


def _require_keys(
    path: Path, line: int, fields: dict[str, object], *, text_column: str, label_column: str, unit: Unit = "line"
) -> None:
    for key, option in ((text_column, "--text_column"), (label_column, "--label_column")):
        if key not in fields:
            raise _missing_key(path, line, key=key, option=option, found=list(fields), unit=unit)


def _object(path: Path, line: int, *, text: str) -> dict[str, object]:
    try:
        value = json.loads(text.rstrip())  # the line's end would be counted as the start of another line
    except json.JSONDecodeError as error:
        raise _malformed(path, line, problem=f"this is not JSON ({error.msg}, column {error.colno:,}).") from error
    except RecursionError as error:
        raise _malformed(path, line, problem="the JSON is nested too deep to read.") from error
    except ValueError as error:  # a number too long to convert
        raise _malformed(path, line, problem=f"this is not JSON we can read ({error}).") from error
    if not isinstance(value, dict):
        raise _malformed(path, line, problem="this is JSON, but not an object.")
    return value


def _malformed(path: Path, line: int, *, problem: str, unit: Unit = "line") -> DataError:
    return row_error(path, line, problem=problem, fix=f"Every {unit} needs one whole JSON object.", unit=unit)


def _missing_key(path: Path, line: int, *, key: str, option: str, found: list[str], unit: Unit = "line") -> DataError:
    return row_error(
        path,
        line,
        problem=f'the object has no "{key}" (keys found: {listed(found)}).',
        fix=f"Name the right key with {option}.",
        unit=unit,
    )
