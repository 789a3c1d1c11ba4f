"""Writes answers piece by piece: the same bytes as the JSON of the whole, which is never in memory if it is large.

A text's predictions are compact arrays. As objects and text they take ten to fifty times as much, so they become
objects and text one after the other, and only as fast as the client reads.
"""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import Generic, NamedTuple, TypeVar, overload

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel
from pydantic_core import to_json
from starlette.responses import Response, StreamingResponse

from service.schemas import (
    Dtype,
    Encoding,
    ModelName,
    MultiLabelRepresentResult,
    Representation,
    RepresentResult,
    UnansweredText,
)

PIECE_BYTES = 64 * 1024
"""Bytes of an answer that are written at a time: a few milliseconds."""

WHOLE_BYTES = 256 * 1024
"""An answer up to this size is sent as a whole, with its length; a larger one in pieces."""

BYTES_OF_A_NUMBER = 22
"""About the longest number in JSON, with its comma."""

LITTLE_ENDIAN: Mapping[Dtype, np.dtype[np.float32 | np.float16]] = {
    "float32": np.dtype("<f4"),
    "float16": np.dtype("<f2"),
}

T = TypeVar("T")

# One thread for all answers: writing holds the interpreter, so more of them would only delay the event loop.
_writer = ThreadPoolExecutor(1, thread_name_prefix="writing")


class Lazy(Sequence[T]):
    """A sequence whose items are built each time they are read."""

    def __init__(self, length: int, build: Callable[[int], T]) -> None:
        self._indices = range(length)
        self._build = build

    def __len__(self) -> int:
        """Number of items."""
        return len(self._indices)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...
    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        """Build one item, or a list of some."""
        if isinstance(index, slice):
            return [self._build(number) for number in self._indices[index]]
        return self._build(self._indices[index])


class Matrix(NamedTuple):
    """One layer's representations of a text's tokens, before they are written.

    Attributes:
        layer: counted from 1, the lowest.
        values: (tokens, width).
        dtype: what the numbers are rounded to.
        encoding: how they are written.
    """

    layer: int
    values: NDArray[np.float32]
    dtype: Dtype
    encoding: Encoding


class Represented(NamedTuple):
    """A text's result whose representations are still to be written; those in ``result`` are empty."""

    result: RepresentResult | MultiLabelRepresentResult
    matrices: Sequence[Matrix]


ResultT = TypeVar("ResultT", bound=BaseModel | Represented)


@dataclass(frozen=True)
class Answer(Generic[ResultT]):
    """What ``PredictResponse`` or ``RepresentResponse`` holds, with results that are built when they are written."""

    model: ModelName
    results: Sequence[ResultT]
    errors: Sequence[UnansweredText]

    def pieces(self) -> Iterator[bytes]:
        """The JSON of the whole answer."""
        yield b'{"model":%b,"results":[' % _json(self.model)
        for index, result in enumerate(self.results):
            if index:
                yield b","
            yield from _represented(result) if isinstance(result, Represented) else (_json(result),)
        yield b'],"errors":[%b]}' % b",".join(map(_json, self.errors))


def response(
    pieces: Iterable[bytes], *, media_type: str = "application/json", headers: Mapping[str, str] | None = None
) -> Response:
    """A response of these bytes: as a whole if it is small, else in pieces that are made while it is sent."""
    gathered = gather(pieces)
    begin: list[bytes] = []
    size = 0
    for piece in gathered:
        begin.append(piece)
        size += len(piece)
        if size > WHOLE_BYTES:
            return StreamingResponse(_in_thread(chain(begin, gathered)), media_type=media_type, headers=headers)
    return Response(b"".join(begin), media_type=media_type, headers=headers)


def gather(parts: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of about ``PIECE_BYTES``."""
    gathered: list[bytes] = []
    size = 0
    for part in parts:
        gathered.append(part)
        size += len(part)
        if size >= PIECE_BYTES:
            yield b"".join(gathered)
            gathered.clear()
            size = 0
    if gathered:
        yield b"".join(gathered)


def number_pieces(rows: NDArray[np.floating], *, nested: bool) -> Iterator[bytes]:
    """Numbers as JSON without the outermost brackets: a list for each row if nested, else all in one."""
    count = max(1, PIECE_BYTES // (BYTES_OF_A_NUMBER * rows.shape[1]))
    for start in range(0, len(rows), count):
        some = rows[start : start + count]
        if start:
            yield b","
        yield to_json((some if nested else some.ravel()).tolist(), inf_nan_mode="null")[1:-1]


def matrix_pieces(matrix: Matrix) -> Iterator[bytes]:
    """The JSON of a ``Representation``."""
    values = matrix.values
    head = _json(
        Representation(layer=matrix.layer, shape=values.shape, dtype=matrix.dtype, encoding=matrix.encoding, data="")
    )
    begin = head.removesuffix(b'""}')
    if matrix.encoding == "float":
        yield begin + b"["
        yield from number_pieces(values.astype(LITTLE_ENDIAN[matrix.dtype]), nested=True)
        yield b"]}"
        return
    yield begin + b'"'
    count = 3 * max(
        1, PIECE_BYTES // (3 * values.itemsize * values.shape[1])
    )  # base64 pads what is not a multiple of 3
    for start in range(0, len(values), count):
        yield base64.b64encode(values[start : start + count].astype(LITTLE_ENDIAN[matrix.dtype]).tobytes())
    yield b'"}'


def _represented(represented: Represented) -> Iterator[bytes]:
    yield _json(represented.result).removesuffix(b"]}")
    for index, matrix in enumerate(represented.matrices):
        if index:
            yield b","
        yield from matrix_pieces(matrix)
    yield b"]}"


def _json(model: BaseModel) -> bytes:
    return model.__pydantic_serializer__.to_json(model)


async def _in_thread(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    while piece := await loop.run_in_executor(_writer, next, pieces, b""):
        yield piece
