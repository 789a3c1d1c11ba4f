"""An inference's answer, written in pieces: representations are padded while they are written, never in memory."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from service.answers import number_pieces
from service.open_inference.binary_tensors import pack, without_data
from service.open_inference.schemas import InferResponse, ResponseTensor


@dataclass(frozen=True)
class PaddedTensor:
    """Representations of texts, each (tokens, width), as one tensor with zeros after each text's last token."""

    rows: Sequence[NDArray[np.float32]]

    @property
    def shape(self) -> list[int]:
        """Texts, tokens of the longest, width."""
        return [len(self.rows), max(map(len, self.rows)), self.rows[0].shape[1]]

    @property
    def size(self) -> int:
        """Number of its bytes."""
        return prod(self.shape) * np.dtype(np.float32).itemsize

    def head(self) -> ResponseTensor:
        """Its entry in the JSON object, with empty data."""
        return ResponseTensor(name="representations", datatype="FP32", shape=self.shape, data=[])

    def numbers(self) -> Iterator[bytes]:
        """The numbers as JSON, without brackets."""
        for index, padded in enumerate(self._padded()):
            if index:
                yield b","
            yield from number_pieces(padded, nested=False)

    def binary(self) -> Iterator[bytes]:
        """The numbers as bytes."""
        return (padded.astype("<f4").tobytes() for padded in self._padded())

    def _padded(self) -> Iterator[NDArray[np.float32]]:
        _, length, width = self.shape
        for rows in self.rows:
            padded = np.zeros((length, width), dtype=np.float32)
            padded[: len(rows)] = rows
            yield padded


Tensor = ResponseTensor | PaddedTensor


@dataclass(frozen=True)
class Inference:
    """The tensors in the order of the request, each with whether it comes as bytes.

    Attributes:
        response: the answer without its tensors.
    """

    response: InferResponse
    tensors: Sequence[tuple[Tensor, bool]]

    def lengths(self) -> tuple[int, int] | None:
        """Bytes of the JSON object, and in all, where other bytes follow it; else None."""
        sizes = [_size(tensor) for tensor, as_bytes in self.tensors if as_bytes]
        if not sizes:
            return None
        json_length = sum(map(len, self._json()))
        return json_length, json_length + sum(sizes)

    def pieces(self) -> Iterator[bytes]:
        """The JSON object, and behind it the tensors that come as bytes."""
        yield from self._json()
        for tensor, as_bytes in self.tensors:
            if as_bytes:
                yield from tensor.binary() if isinstance(tensor, PaddedTensor) else (pack(tensor),)

    def _json(self) -> Iterator[bytes]:
        yield self.response.model_dump_json(exclude_none=True).encode().removesuffix(b"]}")
        for index, (tensor, as_bytes) in enumerate(self.tensors):
            if index:
                yield b","
            yield from _bytes_entry(tensor) if as_bytes else _entry(tensor)
        yield b"]}"


def _entry(tensor: Tensor) -> Iterator[bytes]:
    if isinstance(tensor, ResponseTensor):
        yield tensor.model_dump_json(exclude_none=True).encode()
        return
    yield tensor.head().model_dump_json(exclude_none=True).encode().removesuffix(b"]}")
    yield from tensor.numbers()
    yield b"]}"


def _bytes_entry(tensor: Tensor) -> Iterator[bytes]:
    head = tensor.head() if isinstance(tensor, PaddedTensor) else tensor
    yield without_data(head, _size(tensor)).model_dump_json(exclude_none=True).encode()


def _size(tensor: Tensor) -> int:
    return tensor.size if isinstance(tensor, PaddedTensor) else len(pack(tensor))
