"""Rows of a Parquet file, a batch of them in memory at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import repeat
from math import nan
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from training.data.examples import DataError, SkippedRows
from training.data.readers.files import open_seekable
from training.data.readers.rows import Row, require_columns, row_error

TEACHER = "teacher: "
"""Begins the name of a column with one label's log-probability according to a teacher."""

_BATCH_ROWS = 1024


def read_parquet(path: Path, *, text_column: str, label_column: str, bad_rows: SkippedRows) -> Iterator[Row]:
    """Rows with their 1-based numbers, and a teacher's scores if there are any; bad UTF-8 makes a bad row."""
    with open_seekable(path) as file, _parquet_errors(path):
        table = parquet.ParquetFile(file)
        require_columns(path, table.schema_arrow.names, text_column=text_column, label_column=label_column)
        position = 0
        scores = [name for name in table.schema_arrow.names if name.startswith(TEACHER)]
        for batch in table.iter_batches(_BATCH_ROWS, columns=list(dict.fromkeys([text_column, label_column, *scores]))):
            teachers = _teachers(batch, scores)
            for text, label in zip(batch.column(text_column), batch.column(label_column), strict=True):
                position += 1
                teacher = next(teachers)
                try:
                    row = Row(line=position, text=text.as_py(), label=label.as_py(), teacher=teacher)
                except UnicodeDecodeError:
                    bad_rows.record(_not_utf8(path, position))
                else:
                    yield row


def _teachers(batch: pa.RecordBatch, columns: list[str]) -> Iterator[dict[str, float] | None]:
    """Of every row each label's score, NaN if the row has none; None of every row of a file without such columns."""
    names = [column.removeprefix(TEACHER) for column in columns]
    if not columns:
        yield from repeat(None, batch.num_rows)
        return
    for values in zip(*(batch.column(column).to_pylist() for column in columns), strict=True):
        scores = [nan if value is None else float(value) for value in values]
        yield dict(zip(names, scores, strict=True))


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
