"""A data file's bytes and lines: plain or gzipped, decoded line by line so that one broken byte costs one line."""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from training.data.examples import DataError, SkippedRows
from training.data.readers.rows import row_error

_GZIP_MAGIC = b"\x1f\x8b"  # RFC 1952, section 2.3.1
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


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
                raise DataError(path, None, problem="the file is empty.", fix="Give a file with labelled texts.")
            yield unpacked
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise DataError(
                path,
                None,
                problem=f"its gzip data is damaged or cut short ({error}).",
                fix="Fetch or compress the file again.",
            ) from error


def read_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    r"""Every line with its 1-based number, up to and with its ``\n``; a UTF-8 byte order mark is taken off."""
    with open_data(path) as file:
        for number, line in enumerate(file, start=1):
            yield number, line.removeprefix(_BYTE_ORDER_MARK) if number == 1 else line


def read_text_lines(path: Path, bad_rows: SkippedRows) -> Iterator[tuple[int, str]]:
    """Every line that is not blank, decoded, with its 1-based number; a line that is not UTF-8 is a bad row."""
    for number, line in read_lines(path):
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            bad_rows.record(encoding_error(path, number, error=error))
            continue
        if text.strip():
            yield number, text


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
