"""Rows of a JSON Lines file: one object a line."""

import json
from collections.abc import Iterator
from pathlib import Path

from training.data.examples import DataError, SkippedRows
from training.data.readers.files import read_text_lines
from training.data.readers.rows import Row, listed, row_error


def read_json_lines(path: Path, *, text_column: str, label_column: str, bad_rows: SkippedRows) -> Iterator[Row]:
    """Rows with their lines; a line that is not an object with both keys is a bad row."""
    for line, text in read_text_lines(path, bad_rows):
        try:
            fields = _object(path, line, text=text)
            for key, option in ((text_column, "--data.text_column"), (label_column, "--data.label_column")):
                if key not in fields:
                    raise _missing_key(path, line, key=key, option=option, found=list(fields))
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


def _missing_key(path: Path, line: int, *, key: str, option: str, found: list[str]) -> DataError:
    return row_error(
        path,
        line,
        problem=f'the object has no "{key}" (keys found: {listed(found)}).',
        fix=f"Name the right key with {option}.",
    )
