"""Rows of JSON Lines: one object a line."""

import json
from collections.abc import Iterator
from pathlib import Path

from training.data.examples import DataError, SkippedRows
from training.data.readers.encodings import AUTO
from training.data.readers.files import read_text_lines
from training.data.readers.json_array import require_keys, starts_json_array
from training.data.readers.rows import Row, row_error


def read_json_lines(
    path: Path, *, text_column: str, label_column: str, bad_rows: SkippedRows, encoding: str = AUTO
) -> Iterator[Row]:
    """Rows with their lines; a line that is not an object with both keys is a bad row."""
    for line, text in read_text_lines(path, bad_rows, encoding):
        if line == 1 and starts_json_array(text):
            raise DataError(
                path, None, problem="this is one JSON array, not an object a line.", fix="Pass --format=json."
            )
        try:
            fields = _object(path, line, text=text)
            require_keys(path, line, fields, text_column=text_column, label_column=label_column)
        except DataError as error:
            bad_rows.record(error)
        else:
            yield Row(line=line, text=fields[text_column], label=fields[label_column])


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


def _malformed(path: Path, line: int, *, problem: str) -> DataError:
    return row_error(path, line, problem=problem, fix="Every line needs one whole JSON object.")
