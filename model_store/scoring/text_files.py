"""CSV, TSV, JSON Lines and plain text as rows: also gzipped; one line at a time, so that a bad line costs one row."""

import codecs
import gzip
import io
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from model_store.csv_records import Lines, Record, read_records
from model_store.listing import listed
from model_store.scoring.records import BadRow, Kind, Row, ScoreError, missing_column

MAX_LINE = 1 << 24
"""Bytes of a line. A longer one is a bad row; without a limit it would fill memory."""

DELIMITERS = (",", ";", "\t")
"""Of a CSV file: the first under which the header has the column of texts."""

GZIP_MAGIC = b"\x1f\x8b"  # RFC 1952, section 2.3.1

UTF_16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class TextFile:
    """A file's lines, decoded one by one, and how much of the file was read."""

    def __init__(self, path: Path, *, encoding: str = "utf-8") -> None:
        self.path = path
        self._encoding = encoding
        self._raw: io.BufferedReader | None = None
        self._closed_at = 0

    @property
    def position(self) -> int:
        """Bytes read of the file as it is on the disk."""
        return self._closed_at if self._raw is None else self._raw.tell()

    def lines(self) -> Iterator[tuple[int, str, BadRow | None]]:
        """Number, text without its line break, and why it cannot be used, of each line.

        Raises:
            ScoreError: the file cannot be read, is empty or UTF-16, or its gzip data is damaged.
        """
        with self._open() as file:
            number = 0
            while line := file.readline(MAX_LINE + 1):
                number += 1
                if number == 1:
                    if line.startswith(UTF_16_MARKS):
                        message = f"{self.path}: the file is UTF-16. Convert it: iconv -f UTF-16 -t UTF-8 OLD > NEW"
                        raise ScoreError(message)
                    line = line.removeprefix(codecs.BOM_UTF8)
                yield self._decoded(number, line, is_whole=_read_to_end(file, line))
            if number == 0:
                message = f"{self.path}: the file is empty."
                raise ScoreError(message)

    def _decoded(self, number: int, line: bytes, *, is_whole: bool) -> tuple[int, str, BadRow | None]:
        if not is_whole:
            return number, "", BadRow(number, "line_too_long", f"the line has more than {MAX_LINE:,} bytes")
        try:
            return number, line.decode(self._encoding), None
        except UnicodeDecodeError as error:
            byte = f"byte {error.start + 1:,} of the line (0x{line[error.start]:02X})"
            reason = f"{byte} is not {self._encoding}; name the file's encoding with --encoding, such as cp1252"
            # Delimiters and quotes are ASCII, so the record that the line belongs to can still be found.
            return number, line.decode("ascii", errors="replace"), BadRow(number, "invalid_text", reason)

    @contextmanager
    def _open(self) -> Iterator[io.BufferedReader | gzip.GzipFile]:
        try:
            with self.path.open("rb") as raw:
                self._raw = raw
                try:
                    yield gzip.GzipFile(fileobj=raw) if raw.peek(2).startswith(GZIP_MAGIC) else raw
                finally:
                    self._closed_at, self._raw = raw.tell(), None
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            message = f"{self.path}: its gzip data is damaged or cut short ({error}). Fetch or compress the file again."
            raise ScoreError(message) from error


def _read_to_end(file: io.BufferedReader | gzip.GzipFile, line: bytes) -> bool:
    """Read the rest of a line that was too long; whether it was not."""
    is_whole = len(line) <= MAX_LINE
    while len(line) > MAX_LINE and not line.endswith(b"\n"):
        line = file.readline(MAX_LINE + 1)
    return is_whole


def read_lines(file: TextFile, *, text_column: str) -> Iterator[Row | BadRow]:
    """Each line as a text; a blank line is a bad row."""
    for number, line, problem in file.lines():
        text = line.rstrip("\r\n")
        yield problem or Row(number, text, {text_column: text})


def read_json_lines(file: TextFile, *, text_column: str) -> Iterator[Row | BadRow]:
    """Each line's JSON object; blank lines are passed over. A null or absent text is missing."""
    for number, line, problem in file.lines():
        if problem is None and not line.strip():
            continue
        yield problem or _json_row(number, line, text_column)


def _json_row(number: int, line: str, text_column: str) -> Row | BadRow:
    try:
        content = json.loads(line)
    except (ValueError, RecursionError) as error:
        return BadRow(number, "invalid_json", f"the line is not JSON: {error}")
    if not isinstance(content, dict):
        return BadRow(number, "invalid_json", f"the line is JSON, but not an object: {type(content).__name__}")
    if text_column not in content:
        keys = listed(content)
        return BadRow(number, "empty_text", f'the object has no "{text_column}" (keys found: {keys})')
    return Row(number, content[text_column], content)


def json_columns(file: TextFile, *, text_column: str) -> dict[str, Kind]:
    """All keys of a JSON Lines file in the order of their appearance, and what their values are.

    Reads the whole file: only its last line can tell that there is no further key.
    """
    kinds: dict[str, Kind | None] = {}
    for row in read_json_lines(file, text_column=text_column):
        for name, value in row.fields.items() if isinstance(row, Row) else ():
            kinds[name] = _common(kinds.get(name), _kind(value))
    return {name: kind or "str" for name, kind in kinds.items()}


def _kind(value: Any) -> Kind | None:  # noqa: ANN401 - any JSON value
    match value:
        case None:
            return None
        case bool():
            return "bool"
        case int():
            return "int" if -(2**63) <= value < 2**63 else "json"
        case float():
            return "float"
        case str():
            return "str"
        case _:
            return "json"


def _common(first: Kind | None, second: Kind | None) -> Kind | None:
    """The kind that holds values of both; None is the kind of null."""
    if first is None or second is None or first == second:
        return first or second
    return "float" if {first, second} == {"int", "float"} else "json"


def read_csv(file: TextFile, *, text_column: str, columns: list[str], delimiter: str) -> Iterator[Row | BadRow]:
    """Rows below the header, each with the line it starts on; a quoted field may run over many lines.

    After a row with wrong quotes, reading resumes at the line below the one it starts on.
    """
    lines = Lines(file.lines())
    records = read_records(lines, delimiter)
    next(records)  # the header
    for record in records:
        if problem := _problem(record):
            yield problem
        elif len(record.fields) != len(columns):
            reason = f"the row has {len(record.fields):,} fields where the header has {len(columns):,}"
            yield BadRow(record.line, "wrong_fields", reason)
        else:
            content = dict(zip(columns, record.fields, strict=True))
            yield Row(record.line, content[text_column], content)
        if record.malformed:
            lines.reread()


def _problem(record: Record[BadRow]) -> BadRow | None:
    if not record.malformed:
        return record.problem
    reach = "" if record.line == record.last else f", read up to line {record.last:,}"
    return BadRow(record.line, "invalid_csv", f"the row has a wrong quote{reach} ({record.malformed})")


def csv_header(file: TextFile, *, text_column: str) -> tuple[list[str], str]:
    """The column names, and the delimiter under which they hold the column of texts.

    Raises:
        ScoreError: the header cannot be read, lacks the column, or has a name twice.
    """
    found: list[str] = []
    for delimiter in DELIMITERS:
        record = next(read_records(Lines(file.lines()), delimiter), Record[BadRow](1, 1, []))
        fields = record.fields
        if problem := _problem(record):
            message = f"{file.path}, line 1: {problem.reason}. Every row is read by this header: mend it."
            raise ScoreError(message)
        found = max(found, fields, key=len)
        if text_column in fields:
            if twice := [name for name in dict.fromkeys(fields) if fields.count(name) > 1]:
                message = f"{file.path}, line 1: the header has a column twice: {listed(twice)}. Rename one of them."
                raise ScoreError(message)
            return fields, delimiter
    raise missing_column(file.path, found, column=text_column)
