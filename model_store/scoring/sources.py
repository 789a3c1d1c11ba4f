"""Input files: which formats there are, and how each is read in parts."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Literal, get_args

from model_store.scoring import text_files
from model_store.scoring.records import (
    PART_CHARACTERS,
    PART_CHARACTERS_WITH_TOKEN_VECTORS,
    BadRow,
    Kind,
    Part,
    Row,
    ScoreError,
    cut,
)
from model_store.scoring.text_files import TextFile

OutputFormat = Literal["csv", "jsonl", "parquet"]

Vectors = Literal["none", "text", "token"]
"""Kept besides the answers: nothing, one vector a text, or every token's representation."""

EXTENSIONS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".txt": "txt",
}

ROWS_TRIED = 100
"""If none of as many lines of JSON can be used, the file is not what it is taken for, or the column's name is wrong."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """An input file.

    Attributes:
        columns: its columns and what their values are; for JSON Lines written as such, keys of the first lines.
        size: bytes, or rows of a Parquet file.
        parts: reads the file from the beginning.
    """

    columns: dict[str, Kind]
    size: int
    parts: Callable[[], Iterator[Part]]


def open_source(path: Path, *, text_column: str, encoding: str, output: OutputFormat, vectors: Vectors) -> Source:
    """Look at a file's header, or whatever tells its columns.

    Raises:
        ScoreError: the format is not known, the file cannot be used, or it lacks the column of texts.
        OSError: the file cannot be read.
    """
    format_ = format_of(path)
    limit = PART_CHARACTERS_WITH_TOKEN_VECTORS if vectors == "token" else PART_CHARACTERS
    if format_ == "parquet":
        from model_store.scoring.parquet import open_parquet  # noqa: PLC0415 - pyarrow is optional, and 60 MB

        columns, size, parts = open_parquet(
            path, text_column=text_column, max_characters=limit, keep_batches=output == "parquet"
        )
        return Source(columns=columns, size=size, parts=parts)
    columns, read = _text_source(format_, path, text_column=text_column, encoding=encoding, output=output)

    def text_parts() -> Iterator[Part]:
        file = TextFile(path, encoding=encoding)
        return cut(read(file), position=lambda: file.position, max_characters=limit)

    return Source(columns=columns, size=path.stat().st_size, parts=text_parts)


def _text_source(
    format_: str, path: Path, *, text_column: str, encoding: str, output: OutputFormat
) -> tuple[dict[str, Kind], Callable[[TextFile], Iterator[Row | BadRow]]]:
    """A text file's columns, and a function that reads its rows."""
    file = TextFile(path, encoding=encoding)
    if format_ == "csv":
        names, delimiter = text_files.csv_header(file, text_column=text_column)
        return dict.fromkeys(names, "str"), partial(
            text_files.read_csv, text_column=text_column, columns=names, delimiter=delimiter
        )
    if format_ == "txt":
        return {text_column: "str"}, partial(text_files.read_lines, text_column=text_column)
    read = partial(text_files.read_json_lines, text_column=text_column)
    first = list(islice(read(file), ROWS_TRIED))
    if first and all(isinstance(row, BadRow) for row in first):
        row = first[0]
        message = f"{path}, line {row.line}: {getattr(row, 'reason', '')}; the lines after it are no better."
        raise ScoreError(message)
    columns: dict[str, Kind] = {name: "json" for row in first if isinstance(row, Row) for name in row.fields}
    return columns if output == "jsonl" else text_files.json_columns(file, text_column=text_column), read


def format_of(path: Path) -> str:
    """The format that a name's ending tells, ``.gz`` aside.

    Raises:
        ScoreError: it tells none.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    if not suffixes or suffixes[-1] not in EXTENSIONS:
        message = f"{path}: the name's ending tells no format that can be scored: {', '.join(EXTENSIONS)}."
        raise ScoreError(message)
    return EXTENSIONS[suffixes[-1]]


def output_format_of(path: Path) -> OutputFormat:
    """The format to write; raises ``ScoreError`` if the name's ending tells none."""
    for name in get_args(OutputFormat):
        if path.suffix.lower() == f".{name}":
            return name  # type: ignore[no-any-return]
    message = f"{path}: answers are written as {', '.join(get_args(OutputFormat))}: give the name such an ending."
    raise ScoreError(message)
