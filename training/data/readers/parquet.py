"""Rows of a Parquet file, a batch of them in memory at a time."""

import gzip
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
from pyarrow import parquet

from training.data.examples import BadRows, DataError
from training.data.readers.files import open_data
from training.data.readers.rows import Row, require_columns, row_error

_BATCH_ROWS = 1024


def read_parquet(path: Path, *, text_column: str, label_column: str, bad_rows: BadRows) -> Iterator[Row]:
    """Rows with their 1-based numbers; a string that is not UTF-8 is a bad row."""
    with _open_seekable(path) as file, _parquet_errors(path):
        table = parquet.ParquetFile(file)
        require_columns(path, table.schema_arrow.names, text_column=text_column, label_column=label_column)
        number = 0
        for batch in table.iter_batches(_BATCH_ROWS, columns=[text_column, label_column]):
            for text, label in zip(batch.column(text_column), batch.column(label_column), strict=True):
                number += 1
                try:
                    row = Row(line=number, text=text.as_py(), label=label.as_py())
                except UnicodeDecodeError:
                    bad_rows.report(_not_utf8(path, number))
                else:
                    yield row


@contextmanager
def _open_seekable(path: Path) -> Iterator[BinaryIO]:
    """The file, or an unpacked temporary copy: Parquet is read from its end, which gzip can reach only by unpacking."""
    with open_data(path) as file:
        if not isinstance(file, gzip.GzipFile):
            yield file
            return
        with tempfile.TemporaryFile() as copy:
            shutil.copyfileobj(file, copy)
            copy.seek(0)
            yield copy


@contextmanager
def _parquet_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise DataError(
            path, None, problem=f"it cannot be read as Parquet ({reason}).", fix="Write it again, or name its format."
        ) from error


def _not_utf8(path: Path, row: int) -> DataError:
    return row_error(
        path, row, problem="a string is not UTF-8.", fix="Write the file again with UTF-8 strings.", unit="row"
    )
