"""Representations on the wire, checked against the struct module and by hand."""

import base64
import struct

import numpy as np
import pytest

from service.predictor import encode
from service.schemas import Representation

MATRIX = np.array([[0.5, -1.25, 3.0], [0.1, 65504.0, -0.0]], dtype=np.float32)


@pytest.mark.parametrize(("dtype", "letter"), [("float32", "f"), ("float16", "e")])
def test_base64_is_little_endian_row_after_row(dtype, letter):
    representation = encode(MATRIX, layer=1, dtype=dtype, encoding="base64")
    assert base64.b64decode(representation.data) == struct.pack(f"<6{letter}", *MATRIX.ravel().tolist())


def test_floats_are_the_exact_numbers():
    representation = encode(MATRIX, layer=1, dtype="float32", encoding="float")
    assert representation.data == [[0.5, -1.25, 3.0], [0.10000000149011612, 65504.0, -0.0]]


def test_float16_rounds_the_floats_too():
    # The nearest half-precision number to 0.1 is 1638 / 2**14.
    representation = encode(MATRIX, layer=1, dtype="float16", encoding="float")
    assert representation.data[1][0] == 1638 / 2**14


def test_a_slice_of_columns_is_written_without_its_neighbours():
    representation = encode(MATRIX[:, 1:], layer=1, dtype="float32", encoding="base64")
    assert representation.shape == (2, 2)
    assert base64.b64decode(representation.data) == struct.pack("<4f", -1.25, 3.0, 65504.0, -0.0)


@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_what_is_built_without_validation_is_valid(encoding):
    representation = encode(MATRIX, layer=2, dtype="float32", encoding=encoding)
    assert Representation.model_validate_json(representation.model_dump_json()) == representation
