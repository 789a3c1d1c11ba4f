"""Parquet files, read and written with pyarrow: the only module that imports it.

``pip install 'sentiment-encoder[parquet]'``
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from model_store.scoring.records import PART_ROWS, Kind, Part, Row, ScoreError, missing_column

try:
    import pyarrow as pa
    from pyarrow import parquet
except ImportError as missing:
    message = "Parquet files need pyarrow: pip install 'sentiment-encoder[parquet]'"
    raise ScoreError(message) from missing

ARROW_TYPES: Mapping[Kind | type, Any] = {
    "str": pa.string(),
    "int": pa.int64(),
    "float": pa.float64(),
    "bool": pa.bool_(),
    "json": pa.string(),
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
}


class ListColumn(Protocol):
    """A column of lists, made only once it is written."""

    @property
    def name(self) -> str:
        """The column's."""

    def array(self) -> Any:  # noqa: ANN401 - an Arrow array
        """Its values."""


@dataclass(frozen=True)
class SentenceColumn:
    """A list column of sentences, each a record.

    Attributes:
        name: the column's.
        types: of a record's fields.
        rows: a list of records a row.
    """

    name: str
    types: Mapping[str, type]
    rows: Sequence[Sequence[Mapping[str, Any]]]

    def array(self) -> Any:  # noqa: ANN401 - an Arrow array
        """A list of records a row."""
        record = pa.struct([(name, ARROW_TYPES[kind]) for name, kind in self.types.items()])
        return pa.array(self.rows, pa.list_(record))


@dataclass(frozen=True)
class VectorColumn:
    """A list column of vectors, in float32, because not every reader of Parquet knows float16.

    Attributes:
        name: the column's.
        width: numbers of a vector.
        rows: an array a row: (width,), or with ``per_token`` (tokens, width).
    """

    name: str
    width: int
    rows: Sequence[NDArray[np.float32]]
    per_token: bool

    def array(self) -> Any:  # noqa: ANN401 - an Arrow array
        """A list of numbers a row, or a list of lists of ``width`` numbers."""
        numbers = np.concatenate([np.empty(0, np.float32), *(vector.ravel() for vector in self.rows)])
        flat = pa.array(numbers, pa.float32())
        offsets = pa.array(np.cumsum([0, *map(len, self.rows)]), pa.int32())
        if not self.per_token:
            return pa.ListArray.from_arrays(offsets, flat)
        return pa.ListArray.from_arrays(offsets, pa.FixedSizeListArray.from_arrays(flat, self.width))


def open_parquet(
    path: Path, *, text_column: str, max_characters: int, keep_batches: bool
) -> tuple[dict[str, Kind], int, Callable[[], Iterator[Part]]]:
    """Columns, number of rows, and a function that reads the parts.

    Args:
        path: the file.
        text_column: the column of texts.
        max_characters: of a part.
        keep_batches: give the columns as Arrow batches, so that no type is lost; otherwise as Python values.
    """
    try:
        with parquet.ParquetFile(path) as file:
            schema, rows = file.schema_arrow, file.metadata.num_rows
    except pa.ArrowInvalid as error:
        message = f"{path}: it is not a whole Parquet file ({error})."
        raise ScoreError(message) from error
    if text_column not in schema.names:
        raise missing_column(path, schema.names, column=text_column)
    columns: dict[str, Kind] = dict.fromkeys(schema.names, "json")
    return (
        columns,
        rows,
        lambda: _parts(path, text_column=text_column, max_characters=max_characters, keep_batches=keep_batches),
    )


def _parts(path: Path, *, text_column: str, max_characters: int, keep_batches: bool) -> Iterator[Part]:
    number, line = 0, 1
    with parquet.ParquetFile(path) as file:
        if file.metadata.num_rows == 0:
            yield Part(0, batch=pa.RecordBatch.from_pylist([], file.schema_arrow) if keep_batches else None)
        for batch in file.iter_batches(batch_size=PART_ROWS):
            texts = batch.column(text_column).to_pylist()
            for begin, end in _slices(texts, max_characters):
                piece = batch.slice(begin, end - begin)
                fields = [{}] * piece.num_rows if keep_batches else [_plain(row) for row in piece.to_pylist()]
                rows = [Row(line + begin + index, texts[begin + index], values) for index, values in enumerate(fields)]
                yield Part(number, rows, size=len(rows), batch=piece if keep_batches else None)
                number += 1
            line += len(texts)


def _slices(texts: Sequence[object], max_characters: int) -> Iterator[tuple[int, int]]:
    begin = characters = 0
    for index, text in enumerate(texts, start=1):
        characters += len(text) if isinstance(text, str) else 0
        if characters >= max_characters or index == len(texts):
            yield begin, index
            begin, characters = index, 0


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """Values as JSON has them: NaN becomes null."""
    return {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in row.items()}


def write_parquet(
    path: Path,
    *,
    part: Part,
    answered: Sequence[int],
    columns: Mapping[str, Kind],
    fields: Mapping[str, list[Any]],
    answers: Mapping[str, list[Any]],
    types: Mapping[str, type],
    lists: Sequence[ListColumn],
) -> None:
    """Write a part as one Parquet file.

    Args:
        path: where to.
        part: its ``batch``, if it has one, is kept type by type.
        answered: the rows with an answer, by their position in the part.
        columns: what the values in ``fields`` are.
        fields: the input's columns of the rows with an answer, if the part has no batch.
        answers: the columns of the answers.
        types: their types.
        lists: further columns.
    """
    if part.batch is None:
        arrays = {name: pa.array(fields[name], ARROW_TYPES[kind]) for name, kind in columns.items()}
    else:
        kept = part.batch.take(pa.array(answered, pa.int64()))
        arrays = dict(zip(part.batch.schema.names, kept.columns, strict=True))
    arrays |= {name: pa.array(values, ARROW_TYPES[types[name]]) for name, values in answers.items()}
    arrays |= {column.name: column.array() for column in lists}
    parquet.write_table(pa.table(arrays), path, compression="zstd")


def join_parquet(path: Path, parts: Sequence[Path]) -> None:
    """Join files of one schema, a row group a part."""
    with parquet.ParquetWriter(path, parquet.read_schema(parts[0]), compression="zstd") as writer:
        for part in parts:
            writer.write_table(parquet.read_table(part))
