"""A data file's bytes and lines: plain or gzipped, decoded line by line so that one broken byte costs one line."""

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from training.data.examples import DataError, SkippedRows
from training.data.readers.rows import row_error

_GZIP_MAGIC = b"\x1f\x8b"  # RFC 1952, section 2.3.1
_HEAD = 4096  # bytes looked at to recognize line ends and encoding
_CHUNK = 1 << 16


Files = str | list[str]


def paths(files: str | Sequence[str]) -> list[Path]:
    """The files as paths, however many were named."""
    return [Path(name) for name in ([files] if isinstance(files, str) else files)]


def short_name(path: Path) -> str:
    """A file's name with its folder's, which distinguishes files but does not reveal paths of the machine."""
    return f"{path.parent.name}/{path.name}" if path.parent.name else path.name


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


def read_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    r"""Every line with its 1-based number, up to and with its end; a UTF-8 byte order mark is taken off.

    Lines end in ``\n``, or in ``\r`` if the file begins with such lines.

    Raises:
        DataError: the file cannot be used, or is UTF-16.
    """
    with open_data(path) as file:
        head = file.peek(_HEAD)[:_HEAD]
        if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or _has_two_byte_characters(head):
            raise DataError(
                path,
                None,
                problem="the file is UTF-16.",
                fix=f"Save it as UTF-8, for example with: iconv -f UTF-16 -t UTF-8 {path.name} > utf-8-{path.name}",
            )
        lines = _lines_of_carriage_returns(file) if b"\r" in head and b"\n" not in head else iter(file)
        for line_number, line in enumerate(lines, start=1):
            yield line_number, line.removeprefix(codecs.BOM_UTF8) if line_number == 1 else line


def _has_two_byte_characters(head: bytes) -> bool:
    """Whether every second byte is 0, as UTF-16 writes ASCII; a text of few characters may be anything."""
    return len(head) >= 8 and (not any(head[:64:2]) or not any(head[1:64:2]))  # noqa: PLR2004 - four characters


def _lines_of_carriage_returns(file: io.BufferedReader | gzip.GzipFile) -> Iterator[bytes]:
    rest = b""
    while chunk := file.read(_CHUNK):
        *lines, rest = (rest + chunk).split(b"\r")
        yield from (line + b"\r" for line in lines)
    if rest:
        yield rest


def read_text_lines(path: Path, bad_rows: SkippedRows) -> Iterator[tuple[int, str]]:
    """Every line that is not blank, decoded, with its 1-based number; a line that is not UTF-8 is a bad row."""
    for line_number, line in read_lines(path):
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            bad_rows.record(encoding_error(path, line_number, error=error))
            continue
        if text.strip():
            yield line_number, text


def encoding_error(path: Path, line: int, *, error: UnicodeDecodeError) -> DataError:
    """The error for a line that is not UTF-8, naming the first such byte, counted from 1 within the line."""
    return row_error(
        path,
        line,
        problem=f"byte {error.start + 1:,} of the line (0x{error.object[error.start]:02X}) is not UTF-8.",
        fix="Save the file as UTF-8; it may be in Latin-1, Windows-1252 or UTF-16 now.",
    )


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
