"""A data file's bytes and lines: plain or gzipped, decoded line by line so that one broken byte costs one line."""

import codecs
import gzip
import io
import re
import shutil
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from training.data.examples import DataError, SkippedRows
from training.data.readers.encodings import AUTO, UTF_8, encoding_of, guess_encoding
from training.data.readers.rows import row_error

_GZIP_MAGIC = b"\x1f\x8b"  # RFC 1952, section 2.3.1
_HEAD = 4096  # bytes looked at to recognize line ends and encoding
_CHUNK = 1 << 16
_SAMPLE = 1 << 16  # bytes that an encoding is guessed from


Files = str | list[str]


def paths(files: str | Sequence[str]) -> list[Path]:
    """The files as paths, however many were named."""
    return [Path(name) for name in ([files] if isinstance(files, str) else files)]


def short_name(path: Path) -> str:
    """A file's name with its folder's, which distinguishes files but does not reveal paths of the machine."""
    return f"{path.parent.name}/{path.name}" if path.parent.name else path.name


@contextmanager
def open_seekable(path: Path) -> Iterator[BinaryIO]:
    """The file, or an unpacked temporary copy, for formats that are read from their end.

    Raises:
        DataError: as ``open_data``.
    """
    with open_data(path) as file:
        if not isinstance(file, gzip.GzipFile):
            yield file
            return
        with tempfile.TemporaryFile() as copy:
            shutil.copyfileobj(file, copy)
            copy.seek(0)
            yield copy


@contextmanager
def open_data(path: Path) -> Iterator[io.BufferedReader | gzip.GzipFile]:
    """Open a file that has something in it, unpacking gzip whatever the file is called.

    Raises:
        DataError: the file is missing, a folder, unreadable or empty, or its gzip data is damaged.
    """
    with _open(path) as file:
        try:
            zipped = file.peek(2).startswith(_GZIP_MAGIC)
            unpacked = gzip.GzipFile(fileobj=file) if zipped else file
            if not unpacked.peek(1):
                raise DataError(path, None, problem="the file is empty.", fix="Give a file with labeled texts.")
            yield unpacked
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise DataError(
                path,
                None,
                problem=f"its gzip data is damaged or cut short ({error}).",
                fix="Fetch or compress the file again.",
            ) from error


def read_lines(path: Path, encoding: str = AUTO) -> Iterator[tuple[int, bytes]]:
    r"""Every line in UTF-8 with its 1-based number, up to and with its end; a byte order mark is taken off.

    Lines end in ``\n``, or in ``\r`` if the file begins with such lines. A byte that is not of the encoding stays as it
    is, and since it is not UTF-8 either, whoever decodes the line finds it.

    Args:
        path: the file.
        encoding: its encoding, or ``AUTO``.

    Raises:
        DataError: the file cannot be used, there is no such encoding, or it is not UTF-16 from some line on.
    """
    with open_data(path) as file:
        head = file.peek(_HEAD)[:_HEAD]
        found = encoding_of(path, head, encoding)
        if found != UTF_8:
            lines = _recoded_lines(path, file, head, encoding=found)
        else:
            lines = _lines_of_carriage_returns(file) if b"\r" in head and b"\n" not in head else iter(file)
        for line_number, line in enumerate(lines, start=1):
            yield line_number, line.removeprefix(codecs.BOM_UTF8) if line_number == 1 else line


def first_line(path: Path, encoding: str = AUTO) -> str:
    """The beginning of the first line that is not blank, by which formats are recognized; bad bytes are left out."""
    with open_data(path) as file:
        head = file.peek(_HEAD)[:_HEAD]
        text = head.decode(_with_mark(encoding_of(path, head, encoding)), errors="ignore")
    return next((line for line in re.split(r"[\r\n]", text) if line.strip()), "")


@contextmanager
def open_text(path: Path, encoding: str = AUTO) -> Iterator[TextIO]:
    """The whole text of a file, for formats without lines.

    Raises:
        DataError: the file cannot be used, or a byte of it is not of the encoding.
    """
    with open_data(path) as file:
        found = encoding_of(path, file.peek(_HEAD)[:_HEAD], encoding)
        try:
            # TextIOWrapper takes any binary file, but is typed for some only.
            yield io.TextIOWrapper(cast("BinaryIO", file), encoding=_with_mark(found))
        except UnicodeDecodeError as error:
            problem = f"it is not {_shown(found)} throughout."
            raise DataError(path, None, problem=problem, fix=_how_to_read(path, encoding)) from error


def _with_mark(encoding: str) -> str:
    """The encoding that takes a byte order mark off."""
    return "utf-8-sig" if encoding == UTF_8 else encoding


def _recoded_lines(
    path: Path, file: io.BufferedReader | gzip.GzipFile, head: bytes, *, encoding: str
) -> Iterator[bytes]:
    beginning = head.decode(encoding, errors="ignore")
    newline = "\r" if "\r" in beginning and "\n" not in beginning else "\n"
    text = io.TextIOWrapper(cast("BinaryIO", file), encoding=encoding, errors="surrogateescape", newline=newline)
    number = 1
    try:
        for line in text:
            yield line.encode(errors="surrogateescape")
            number += 1
    except UnicodeError as error:  # of UTF-16: what follows cannot be told apart
        raise DataError(
            path,
            number,
            problem=f"from here on the file is not {_shown(encoding)}.",
            fix="Check whether it is complete, or name another encoding with --encoding.",
        ) from error


def _lines_of_carriage_returns(file: io.BufferedReader | gzip.GzipFile) -> Iterator[bytes]:
    rest = b""
    while chunk := file.read(_CHUNK):
        *lines, rest = (rest + chunk).split(b"\r")
        yield from (line + b"\r" for line in lines)
    if rest:
        yield rest


def read_text_lines(path: Path, bad_rows: SkippedRows, encoding: str = AUTO) -> Iterator[tuple[int, str]]:
    """Every line that is not blank, decoded, with its 1-based number; one that cannot be decoded is a bad row."""
    for line_number, line in read_lines(path, encoding):
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            bad_rows.record(encoding_error(path, line_number, error=error, encoding=encoding))
            continue
        if text.strip():
            yield line_number, text


def encoding_error(path: Path, line: int, *, error: UnicodeDecodeError, encoding: str = AUTO) -> DataError:
    """The error for a line of ``read_lines`` that is not UTF-8, naming the first such byte.

    Its position is counted from 1 within the line: in bytes, or in characters if the line was in another encoding.
    """
    byte = error.object[error.start]
    if encoding == AUTO:
        problem = f"byte {error.start + 1:,} of the line (0x{byte:02X}) is not UTF-8."
    else:
        position = len(error.object[: error.start].decode()) + 1
        problem = f"character {position:,} of the line (0x{byte:02X}) is not {_shown(encoding)}."
    return row_error(path, line, problem=problem, fix=_how_to_read(path, encoding))


def _how_to_read(path: Path, encoding: str) -> str:
    guess = _guess(path) if encoding == AUTO else None
    if guess is not None:
        return f"The file looks like {guess}: pass --encoding={guess}, or save it as UTF-8."
    return "Save the file as UTF-8, or name its encoding with --encoding, such as cp1252 or utf-16."


@lru_cache(maxsize=8)  # every bad row of a file asks
def _guess(path: Path) -> str | None:
    sample = bytearray()
    with open_data(path) as file:
        for line in file:
            if not line.isascii():
                sample += line[:_SAMPLE]
            if len(sample) >= _SAMPLE:
                break
    return guess_encoding(bytes(sample))


def _shown(encoding: str) -> str:
    return encoding.upper() if encoding.startswith("utf") else encoding


def _open(path: Path) -> io.BufferedReader:
    try:
        return path.open("rb")
    except FileNotFoundError as error:
        raise DataError(path, None, problem="there is no such file.", fix="Check the path.") from error
    except IsADirectoryError as error:
        raise DataError(path, None, problem="this is a folder.", fix="Name one file in it.") from error
    except OSError as error:
        raise DataError(
            path, None, problem=f"it cannot be read ({error.strerror}).", fix="Check the file's permissions."
        ) from error
