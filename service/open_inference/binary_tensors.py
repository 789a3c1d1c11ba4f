"""The Open Inference Protocol's extension for tensors as bytes, which Triton's clients use by default.

The bytes stand behind the JSON object, in the order of their tensors; ``Inference-Header-Content-Length`` says where
they begin, and each tensor's parameter ``binary_data_size`` how many are its own. Numbers are little-endian, a
truth value is one byte, and a string is its length in 4 bytes and its UTF-8.
"""

import struct
from collections.abc import Iterable, Iterator

import numpy as np

from service.errors import RequestError
from service.open_inference.schemas import ResponseTensor

LENGTH = struct.Struct("<I")
NUMBERS = {"BOOL": np.dtype("?"), "FP32": np.dtype("<f4"), "INT32": np.dtype("<i4")}


def strings(data: bytes) -> Iterator[str]:
    """The strings of a tensor of BYTES.

    Raises:
        RequestError: the bytes end in the middle of a string, or a string is not UTF-8.
    """
    position = 0
    while position < len(data):
        begin = position + LENGTH.size
        if begin > len(data):
            raise _damaged("ends in the middle of a length")
        (size,) = LENGTH.unpack_from(data, position)
        position = begin + size
        if position > len(data):
            raise _damaged("ends in the middle of a string")
        try:
            yield data[begin:position].decode()
        except UnicodeDecodeError:
            raise _damaged("has a string that is not UTF-8") from None


def packed(tensor: ResponseTensor) -> bytes:
    """A tensor's data as bytes."""
    data = tensor.data or []
    if tensor.datatype == "BYTES":
        return b"".join(_with_lengths(str(text).encode() for text in data))
    return np.array(data, dtype=NUMBERS[tensor.datatype]).tobytes()


def without_data(tensor: ResponseTensor, size: int) -> ResponseTensor:
    """The tensor as the JSON object has it when its bytes stand behind."""
    return tensor.model_copy(update={"data": None, "parameters": {"binary_data_size": size}})


def _with_lengths(texts: Iterable[bytes]) -> Iterator[bytes]:
    for text in texts:
        yield LENGTH.pack(len(text))
        yield text


def _damaged(problem: str) -> RequestError:
    return RequestError("bad_request", f"The binary data of the input {problem}.")
