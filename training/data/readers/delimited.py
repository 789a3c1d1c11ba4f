"""Rows of a CSV or TSV file with a header."""

import csv
from collections.abc import Iterator
from pathlib import Path

from training.data.examples import DataError, SkippedRows
from training.data.readers.files import encoding_error, read_lines
from training.data.readers.rows import Row, require_columns, row_error


def read_delimited(
    path: Path, *, delimiter: str, text_column: str, label_column: str, bad_rows: SkippedRows
) -> Iterator[Row]:
    """Rows with the line each starts on; a quoted field may run over many lines.

    A file without a row, or without one of the two columns in its header, is an error whatever ``bad_rows`` says.
    """
    records = _records(path, delimiter)
    header = next(records, (0, []))[1]
    if isinstance(header, DataError):
        raise DataError(path, header.line, problem=header.problem, fix="Every row is read by this header: mend it.")
    require_columns(path, header, text_column=text_column, label_column=label_column)
    text_position, label_position = header.index(text_column), header.index(label_column)
    for line, fields in records:
        if isinstance(fields, DataError):
            bad_rows.record(fields)
        elif len(fields) != len(header):
            bad_rows.record(_wrong_length(path, line, found=len(fields), expected=len(header)))
        else:
            yield Row(line=line, text=fields[text_position], label=fields[label_position])


def _records(path: Path, delimiter: str) -> Iterator[tuple[int, list[str] | DataError]]:
    """Each record that is not blank, with the line it starts on: its fields, or why it has none."""
    broken: list[DataError] = []  # of the lines of the record being read
    # strict: without it a quote that is never closed takes the rest of the file into one field, in silence.
    reader = csv.reader(_decoded_lines(path, broken), delimiter=delimiter, strict=True)
    while True:
        start = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield start, _malformed(path, start, last=reader.line_num, reason=str(error))
        else:
            if broken:
                yield start, broken[0]
            elif fields:
                yield start, fields
        broken.clear()


def _decoded_lines(path: Path, broken: list[DataError]) -> Iterator[str]:
    """Lines for the ``csv`` module, which sees every one of them so that quotes stay paired.

    Delimiters, quotes and line ends are ASCII, and a byte that is not UTF-8 never is: such bytes are carried through
    as surrogates, the record's shape stays what it is, and the error noted in ``broken`` keeps it from being used.
    """
    for number, line in read_lines(path):
        try:
            yield line.decode()
        except UnicodeDecodeError as error:
            broken.append(encoding_error(path, number, error=error))
            yield line.decode(errors="surrogateescape")


def _wrong_length(path: Path, line: int, *, found: int, expected: int) -> DataError:
    fields = "field" if found == 1 else "fields"
    return row_error(
        path,
        line,
        problem=f"the row has {found:,} {fields} where the header has {expected:,}.",
        fix="Put a field that holds the delimiter or a line break in double quotes.",
    )


def _malformed(path: Path, line: int, *, last: int, reason: str) -> DataError:
    reach = "" if last <= line else f" (it was read up to line {last:,})"
    return row_error(
        path,
        line,
        problem=f"the row that starts here is malformed{reach}: {reason}.",
        fix='Close every double quote, and write one inside a quoted field as "".',
    )
