"""Representations on the wire, checked against the struct module and by hand."""

import base64
import struct

import numpy as np
import pytest

from service.answers import PIECE_BYTES, Matrix, matrix_pieces
from service.schemas import Representation

MATRIX = np.array([[0.5, -1.25, 3.0], [0.1, 65504.0, -0.0]], dtype=np.float32)


def encode(matrix, *, layer, dtype, encoding):
    return Representation.model_validate_json(b"".join(matrix_pieces(Matrix(layer, matrix, dtype, encoding))))


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
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_the_pieces_of_a_large_matrix_are_the_json_of_the_whole(encoding, dtype):
    matrix = np.random.default_rng(0).standard_normal((301, 160)).astype(np.float32)
    matrix[0, :4] = [np.nan, 1e-7, 6e4, -0.0]
    numbers = matrix.astype(dtype)
    data = numbers.tolist() if encoding == "float" else base64.b64encode(numbers.tobytes()).decode()
    whole = Representation.model_construct(layer=2, shape=(301, 160), dtype=dtype, encoding=encoding, data=data)
    pieces = list(matrix_pieces(Matrix(2, matrix, dtype, encoding)))
    assert b"".join(pieces) == whole.model_dump_json().encode()
    assert max(map(len, pieces)) <= PIECE_BYTES * 4 / 3
