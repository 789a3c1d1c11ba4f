"""Rows of a CSV or TSV file with a header."""

import csv
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from training.data.examples import DataError, SkippedRows
from training.data.readers.encodings import AUTO
from training.data.readers.files import encoding_error, read_lines
from training.data.readers.rows import SKIP_BAD_ROWS, Row, require_columns, row_error

DELIMITERS = (",", ";", "\t", "|")
"""Tried in this order if the header lacks a column with the format's own delimiter."""

_SEPARATOR_LINE = re.compile(r"sep=(.)\r?\n?", re.IGNORECASE)
"""The first line by which Excel tells its delimiter."""

MAX_FIELD = 1 << 24
"""Characters of one field. Where there are more, a quote is never closed; without a limit the rest of the file would be
held in memory."""

csv.field_size_limit(MAX_FIELD)  # the csv module's own limit of 131,072 is less than a long article


def read_delimited(
    path: Path, *, delimiter: str, text_column: str, label_column: str, bad_rows: SkippedRows, encoding: str = AUTO
) -> Iterator[Row]:
    """Rows with the line each starts on; a quoted field may run over many lines.

    After a row with wrong quotes, reading resumes at the next line that starts a row: one with as many fields as the
    header and a label that came before. So the inside of a text does not become rows, and the rest of the file is not
    lost. A file without a row, or without one of the two columns in its header, is an error whatever ``bad_rows`` says.
    """
    lines = _Lines(path, encoding)
    header, delimiter = _header(lines, delimiter, columns={text_column, label_column})
    require_columns(path, header, text_column=text_column, label_column=label_column)
    text_position, label_position = header.index(text_column), header.index(label_column)
    labels: set[str] = set()
    after_malformed = False
    for record in _records(lines, delimiter):
        has_fields = record.error is None and len(record.fields) == len(header)
        if after_malformed and not (has_fields and (record.fields[label_position] in labels or not labels)):
            lines.reread()
            continue
        after_malformed = record.malformed
        if record.malformed:
            lines.reread()
        if record.error is not None:
            bad_rows.record(record.error)
        elif not has_fields:
            bad_rows.record(_wrong_length(path, record.line, found=len(record.fields), expected=len(header)))
        else:
            labels.add(record.fields[label_position])
            yield Row(line=record.line, text=record.fields[text_position], label=record.fields[label_position])


@dataclass
class _Lines:
    """A file's lines for the ``csv`` module, which may be read again from a record's second line on.

    Delimiters, quotes and line ends are ASCII, and a byte that is not UTF-8 never is: such bytes are carried through
    as surrogates, so that quotes stay paired, and the error returned with the line keeps its record from being used.

    Attributes:
        taken: number, text and error of the lines of the record being read.
    """

    path: Path
    encoding: str
    taken: list[tuple[int, str, DataError | None]] = field(default_factory=list)
    _again: deque[tuple[int, str, DataError | None]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self._file = read_lines(self.path, self.encoding)

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        entry = self._again.popleft() if self._again else self._decoded(*next(self._file))
        self.taken.append(entry)
        return entry[1]

    def reread(self) -> None:
        """Read the record's lines again, without the first."""
        self._again.extendleft(reversed(self.taken[1:]))
        self.taken.clear()

    def _decoded(self, number: int, line: bytes) -> tuple[int, str, DataError | None]:
        try:
            return number, line.decode(), None
        except UnicodeDecodeError as error:
            undecodable = encoding_error(self.path, number, error=error, encoding=self.encoding)
            return number, line.decode(errors="surrogateescape"), undecodable


@dataclass(frozen=True)
class _Record:
    """A record that is not blank, with the line it starts on: its fields, or why it has none.

    Attributes:
        malformed: whether its quotes are wrong, so that its end is not known.
    """

    line: int
    fields: list[str] = field(default_factory=list)
    error: DataError | None = None
    malformed: bool = False


def _records(lines: _Lines, delimiter: str) -> Iterator[_Record]:
    # strict: without it a quote that is never closed takes the rest of the file into one field, in silence.
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        lines.taken.clear()
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            start, last = lines.taken[0][0], lines.taken[-1][0]
            malformed = _malformed(lines.path, start, last=last, reason=str(error))
            yield _Record(start, error=malformed, malformed=True)
        else:
            undecodable = next((error for _, _, error in lines.taken if error is not None), None)
            if fields or undecodable:
                yield _Record(lines.taken[0][0], fields, undecodable)


def _header(lines: _Lines, delimiter: str, *, columns: set[str]) -> tuple[list[str], str]:
    """The column names, and the delimiter under which the wanted ones are among them, or else there are most.

    Raises:
        DataError: the header cannot be read.
    """
    record = next(_records(lines, delimiter), _Record(0))
    if separator := _SEPARATOR_LINE.fullmatch("".join(text for _, text, _ in lines.taken)):
        delimiter = separator[1]
        record = next(_records(lines, delimiter), _Record(0))
    if record.error is not None:
        error = record.error
        fix = error.fix.removesuffix(f"\n{SKIP_BAD_ROWS}")
        raise DataError(lines.path, error.line, problem=error.problem, fix=f"{fix}\nEvery row is read by this header.")
    if columns <= set(record.fields):
        return record.fields, delimiter
    text = "".join(text for _, text, _ in lines.taken)
    others = [(next(csv.reader([text], delimiter=other), []), other) for other in DELIMITERS]
    known = [(names, other) for names, other in others if columns <= set(names)]
    return known[0] if known else max([(record.fields, delimiter), *others], key=lambda header: len(header[0]))


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
    if reason.startswith("field larger than"):
        reason = f"a field has more than {MAX_FIELD:,} characters, so that a quote is probably never closed"
    return row_error(
        path,
        line,
        problem=f"the row that starts here is malformed{reach}: {reason}.",
        fix='Close every double quote, and write one inside a quoted field as "".',
    )
