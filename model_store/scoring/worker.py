"""One worker of a scoring job: from a part's rows to the part's files.

A ``Scorer`` needs the model, the options and a folder, so whatever distributes parts can use it: processes of one
machine, or of a cluster with a common folder.
"""

import csv
import io
import json
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_store.atomic_write import atomic_path, atomic_write
from model_store.errors import BundleError, TextError
from model_store.manifest import Architecture
from model_store.model import SentimentModel, pooled
from model_store.results import Prediction
from model_store.scoring.part_files import PartFiles
from model_store.scoring.records import BadRow, Kind, Part, Row, ScoreError
from model_store.scoring.sources import OutputFormat, Vectors
from model_store.table import SENTENCES, Cell, cells, column_types, sentence_records, sentence_types
from model_store.tokenization import Truncation


@dataclass(frozen=True, kw_only=True)
class ScoreOptions:
    """What is read of a file and written for it.

    Attributes:
        text_column: the column of the texts.
        prefix: put before the name of every column of the answers.
        truncate: what to do with a text that is too long.
        vectors: what to keep besides the answers.
        layer: whose representations they are.
        sentences: also answer each sentence of a text, in one more column of lists, which CSV cannot hold.
        encoding: of text files.
    """

    text_column: str = "text"
    prefix: str = "predicted_"
    truncate: Truncation = "end"
    vectors: Vectors = "none"
    layer: int = -1
    sentences: bool = False
    encoding: str = "utf-8"

    @property
    def vector_column(self) -> str:
        """Name of the Parquet column of vectors."""
        return self.prefix + ("vector" if self.vectors == "text" else "representations")

    @property
    def sentence_column(self) -> str:
        """Name of the column of sentences."""
        return self.prefix + SENTENCES


@dataclass(frozen=True)
class PartReport:
    """What became of a part.

    Attributes:
        number: the part's.
        rows: those that have an answer.
        bad: those that have none.
        size: what the part is of the input's size.
        is_kept: an earlier run had finished it; then ``rows`` and ``bad`` are 0.
    """

    number: int
    rows: int = 0
    bad: int = 0
    size: int = 0
    is_kept: bool = False


@dataclass
class _Answered:
    """The rows of a part that have an answer, column by column."""

    positions: list[int] = field(default_factory=list)
    cells: list[list[Cell]] = field(default_factory=list)
    vectors: list[NDArray[np.float32]] = field(default_factory=list)
    sentences: list[list[dict[str, Cell]]] = field(default_factory=list)


class Scorer:
    """Scores parts and writes their files. Answers do not depend on how parts are distributed.

    Args:
        model: the model.
        options: what to write.
        columns: the input's columns, as its ``Source`` names them.
        output: the format.
        files: where parts are written.
        writer: names this scorer where another may write the same part at the same time.
    """

    def __init__(
        self,
        model: SentimentModel,
        options: ScoreOptions,
        *,
        columns: Mapping[str, Kind],
        output: OutputFormat,
        files: PartFiles,
        writer: str = "",
    ) -> None:
        self._model = model
        self._options = options
        self._columns = columns
        self._output = output
        self._files = files
        self._writer = writer
        self._types = column_types(model.manifest, prefix=options.prefix)

    def __call__(self, part: Part) -> PartReport:
        """Score a part. Its main file is written last, so a part that has one is whole."""
        answered, bad = self._answer(part)
        number = part.number
        if bad:
            lines = [json.dumps({"line": row.line, "code": row.code, "reason": row.reason}) for row in bad]
            atomic_write(self._files.bad(number), "".join(f"{line}\n" for line in lines).encode(), writer=self._writer)
        if self._options.vectors != "none" and self._output != "parquet":
            numbers = [vector.astype("<f2").tobytes() for vector in answered.vectors]
            atomic_write(self._files.vectors(number), b"".join(numbers), writer=self._writer)
        if self._output == "parquet":
            self._write_parquet(part, answered)
        else:
            content = self._csv(part, answered) if self._output == "csv" else self._json_lines(part, answered)
            atomic_write(self._files.rows(number), content.encode("utf-8", errors="replace"), writer=self._writer)
        return PartReport(number, rows=len(answered.positions), bad=len(bad), size=part.size)

    def _answer(self, part: Part) -> tuple[_Answered, list[BadRow]]:
        options = self._options
        layers = () if options.vectors == "none" else (options.layer,)
        answered, bad = _Answered(), list(part.bad)
        texts = (row.text for row in part.rows)
        answers = self._model.stream(texts, layers=layers, truncate=options.truncate, sentences=options.sentences)
        for position, answer in enumerate(answers):
            if isinstance(answer, TextError):
                bad.append(BadRow(part.rows[position].line, answer.code, answer.message))
                continue
            answered.positions.append(position)
            answered.cells.append(cells(answer))
            if options.vectors != "none":
                answered.vectors.append(self._vector(answer))
            if options.sentences:
                answered.sentences.append(sentence_records(answer))
        return answered, sorted(bad, key=lambda row: row.line)

    def _vector(self, answer: Prediction) -> NDArray[np.float32]:
        representations = answer.representations[self._options.layer]
        return pooled(representations) if self._options.vectors == "text" else representations.copy()

    def _csv(self, part: Part, answered: _Answered) -> str:
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        for fields, values in _pairs(part.rows, answered):
            writer.writerow(
                [*(_csv_cell(fields.get(name)) for name in self._columns), *(_csv_cell(value) for value in values)]
            )
        return buffer.getvalue()

    def _json_lines(self, part: Part, answered: _Answered) -> str:
        lines = []
        for index, (fields, values) in enumerate(_pairs(part.rows, answered)):
            content = {**fields, **dict(zip(self._types, values, strict=True))}
            if self._options.sentences:
                content[self._options.sentence_column] = answered.sentences[index]
            lines.append(json.dumps(content, default=str) + "\n")
        return "".join(lines)

    def _write_parquet(self, part: Part, answered: _Answered) -> None:
        from model_store.scoring.parquet import (  # noqa: PLC0415 - pyarrow is optional
            ListColumn,
            SentenceColumn,
            VectorColumn,
            write_parquet,
        )

        rows = [part.rows[position].fields for position in answered.positions]
        options = self._options
        lists: list[ListColumn] = []
        if options.sentences:
            types = sentence_types(self._model.manifest)
            lists.append(SentenceColumn(options.sentence_column, types, answered.sentences))
        if options.vectors != "none":
            width = vector_width(self._model.manifest.architecture, options.vectors)
            per_token = options.vectors == "token"
            lists.append(VectorColumn(options.vector_column, width, answered.vectors, per_token))
        with atomic_path(self._files.rows(part.number), writer=self._writer) as path:
            write_parquet(
                path,
                part=part,
                answered=answered.positions,
                columns=self._columns,
                fields={
                    name: [_parquet_cell(row.get(name), kind) for row in rows]
                    for name, kind in (self._columns.items() if part.batch is None else ())
                },
                answers={name: [row[index] for row in answered.cells] for index, name in enumerate(self._types)},
                types=self._types,
                lists=lists,
            )


def csv_header(columns: Iterable[str]) -> bytes:
    """The first line of a CSV file."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(columns)
    return buffer.getvalue().encode("utf-8", errors="replace")


def _pairs(rows: Sequence[Row], answered: _Answered) -> Iterator[tuple[dict[str, Any], list[Cell]]]:
    return (
        (rows[position].fields, values) for position, values in zip(answered.positions, answered.cells, strict=True)
    )


def _csv_cell(value: object) -> object:
    """A value as CSV has it: null is an empty field, truth is ``true`` or ``false``, lists and objects are JSON."""
    if value is True or value is False:
        return "true" if value else "false"
    return json.dumps(value, default=str) if isinstance(value, list | dict) else value


def _parquet_cell(value: object, kind: Kind) -> object:
    if value is None or kind != "json":
        return float(value) if kind == "float" and isinstance(value, int) else value
    return value if isinstance(value, str) else json.dumps(value, default=str)


def vector_width(architecture: Architecture, vectors: Vectors) -> int:
    """Numbers of a vector: maximum and mean of a text's representations, or one token's."""
    return architecture.representation_size * (2 if vectors == "text" else 1)


_models: list[SentimentModel | ScoreError] = []
"""The model of this process once it is started, or why there is none."""


def start(bundle: Path) -> None:
    """Make this process a worker: load the model, leave Ctrl-C to the parent, and end when the parent ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        _models.append(SentimentModel.load(bundle))
    except (BundleError, OSError) as error:
        _models.append(ScoreError(str(error)))


def score(part: Part, make: Mapping[str, Any]) -> PartReport:
    """Score a part in a process that was started, with a ``Scorer`` of these arguments.

    Raises:
        ScoreError: the model could not be loaded.
    """
    model = _models[0]
    if isinstance(model, ScoreError):
        raise model
    return Scorer(model, **make)(part)


def _end_with_parent() -> None:
    # A pool's processes wait forever for a parent that was killed.
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
