"""Rows of a CSV or TSV file with a header."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path

from model_store.csv_records import Lines, Record, read_records
from training.data.examples import DataError, SkippedRows
from training.data.readers.encodings import AUTO
from training.data.readers.files import encoding_error, read_lines
from training.data.readers.rows import SKIP_BAD_ROWS, Row, require_columns, row_error

DELIMITERS = (",", ";", "\t", "|")
"""Tried in this order if the header lacks a column with the format's own delimiter."""

_SEPARATOR_LINE = re.compile(r"sep=(.)\r?\n?", re.IGNORECASE)
"""The first line by which Excel tells its delimiter."""


def read_delimited(
    path: Path, *, delimiter: str, text_column: str, label_column: str, bad_rows: SkippedRows, encoding: str = AUTO
) -> Iterator[Row]:
    """Rows with the line each starts on; a quoted field may run over many lines.

    After a row with wrong quotes, reading resumes at the next line that starts a row: one with as many fields as the
    header and a label that came before. So the inside of a text does not become rows, and the rest of the file is not
    lost. A file without a row, or without one of the two columns in its header, is an error whatever ``bad_rows`` says.
    """
    lines = Lines(_decoded_lines(path, encoding))
    header, delimiter = _header(path, lines, delimiter, columns={text_column, label_column})
    require_columns(path, header, text_column=text_column, label_column=label_column)
    text_position, label_position = header.index(text_column), header.index(label_column)
    labels: set[str] = set()
    after_malformed = False
    for record in read_records(lines, delimiter):
        error = _error(path, record)
        has_fields = error is None and len(record.fields) == len(header)
        if after_malformed and not (has_fields and (record.fields[label_position] in labels or not labels)):
            lines.reread()
            continue
        after_malformed = bool(record.malformed)
        if record.malformed:
            lines.reread()
        if error is not None:
            bad_rows.record(error)
        elif not has_fields:
            bad_rows.record(_wrong_length(path, record.line, found=len(record.fields), expected=len(header)))
        else:
            labels.add(record.fields[label_position])
            yield Row(line=record.line, text=record.fields[text_position], label=record.fields[label_position])


def _decoded_lines(path: Path, encoding: str) -> Iterator[tuple[int, str, DataError | None]]:
    """Number, text and error of each line.

    Delimiters, quotes and line ends are ASCII, and a byte that is not UTF-8 never is: such bytes are carried through
    as surrogates, so that quotes stay paired, and the error keeps the line's record from being used.
    """
    for number, line in read_lines(path, encoding):
        try:
            yield number, line.decode(), None
        except UnicodeDecodeError as error:
            undecodable = encoding_error(path, number, error=error, encoding=encoding)
            yield number, line.decode(errors="surrogateescape"), undecodable


def _error(path: Path, record: Record[DataError]) -> DataError | None:
    return _malformed(path, record) if record.malformed else record.problem


def _header(path: Path, lines: Lines[DataError], delimiter: str, *, columns: set[str]) -> tuple[list[str], str]:
    """The column names, and the delimiter under which the wanted ones are among them, or else there are most.

    Raises:
        DataError: the header cannot be read.
    """
    record = _first(lines, delimiter)
    if separator := _SEPARATOR_LINE.fullmatch("".join(text for _, text, _ in lines.taken)):
        delimiter = separator[1]
        record = _first(lines, delimiter)
    if error := _error(path, record):
        fix = error.fix.removesuffix(f"\n{SKIP_BAD_ROWS}")
        raise DataError(path, error.line, problem=error.problem, fix=f"{fix}\nEvery row is read by this header.")
    if columns <= set(record.fields):
        return record.fields, delimiter
    text = "".join(text for _, text, _ in lines.taken)
    others = [(next(csv.reader([text], delimiter=other), []), other) for other in DELIMITERS]
    known = [(names, other) for names, other in others if columns <= set(names)]
    return known[0] if known else max([(record.fields, delimiter), *others], key=lambda header: len(header[0]))


def _first(lines: Lines[DataError], delimiter: str) -> Record[DataError]:
    return next(read_records(lines, delimiter), Record(0, 0, []))


def _wrong_length(path: Path, line: int, *, found: int, expected: int) -> DataError:
    fields = "field" if found == 1 else "fields"
    return row_error(
        path,
        line,
        problem=f"the row has {found:,} {fields} where the header has {expected:,}.",
        fix="Put a field that holds the delimiter or a line break in double quotes.",
    )


def _malformed(path: Path, record: Record[DataError]) -> DataError:
    reach = "" if record.last <= record.line else f" (it was read up to line {record.last:,})"
    return row_error(
        path,
        record.line,
        problem=f"the row that starts here is malformed{reach}: {record.malformed}.",
        fix='Close every double quote, and write one inside a quoted field as "".',
    )
