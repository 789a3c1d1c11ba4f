"""The Open Inference Protocol's extension for tensors as bytes, which Triton's clients use by default.

The bytes follow the JSON object in the order of their tensors. ``Inference-Header-Content-Length`` is the length of the
JSON object, and each tensor's parameter ``binary_data_size`` the number of its bytes. Numbers are little-endian, a
boolean is one byte, and a string is its length in 4 bytes and its UTF-8.
"""

import struct
from collections.abc import Iterable, Iterator

import numpy as np

from service.errors import RequestError
from service.open_inference.schemas import ResponseTensor

LENGTH = struct.Struct("<I")
NUMBERS = {"BOOL": np.dtype("?"), "FP32": np.dtype("<f4"), "INT32": np.dtype("<i4")}


def unpack_strings(data: memoryview) -> Iterator[str]:
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
            yield str(data[begin:position], "utf-8")
        except UnicodeDecodeError:
            raise _damaged("has a string that is not UTF-8") from None


def pack(tensor: ResponseTensor) -> bytes:
    """A tensor's data as bytes."""
    data = tensor.data or []
    if tensor.datatype == "BYTES":
        return b"".join(_with_lengths(str(text).encode() for text in data))
    return np.array(data, dtype=NUMBERS[tensor.datatype]).tobytes()


def without_data(tensor: ResponseTensor, size: int) -> ResponseTensor:
    """The tensor's entry in the JSON object if its bytes follow."""
    return tensor.model_copy(update={"data": None, "parameters": {"binary_data_size": size}})


def _with_lengths(texts: Iterable[bytes]) -> Iterator[bytes]:
    for text in texts:
        yield LENGTH.pack(len(text))
        yield text


def _damaged(problem: str) -> RequestError:
    return RequestError("bad_request", f"The binary data of the input {problem}.")
