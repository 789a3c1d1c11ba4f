"""Flat arrays on disk: what is written is what numpy reads."""

import numpy as np
import pytest

from training.data.flat_arrays import FlatArrayWriter, map_array


@pytest.mark.parametrize(("typecode", "kind"), [("i", np.int32), ("q", np.int64)])
def test_numpy_reads_what_was_written(tmp_path, typecode, kind):
    path = tmp_path / "numbers.npy"
    with FlatArrayWriter(path, typecode) as numbers:
        numbers.extend([3, -1])
        numbers.extend([])
        numbers.extend(range(300_000))  # more than is held back
        numbers.extend([2_000_000_000])
    found = np.load(path)
    assert found.dtype == kind
    assert found.tolist() == [3, -1, *range(300_000), 2_000_000_000]


def test_a_mapped_array_can_be_changed_without_changing_the_file(tmp_path):
    path = tmp_path / "numbers.npy"
    with FlatArrayWriter(path, "i") as numbers:
        numbers.extend([1, 2, 3])
    mapped = map_array(path)
    mapped[0] = 9
    assert mapped.tolist() == [9, 2, 3]
    assert map_array(path).tolist() == [1, 2, 3]


def test_an_array_whose_writing_failed_has_no_numbers(tmp_path):
    path = tmp_path / "numbers.npy"

    def numbers():
        yield 1
        raise KeyboardInterrupt

    def write():
        with FlatArrayWriter(path, "i") as writer:
            writer.extend([1, 2])
            writer.extend(numbers())

    with pytest.raises(KeyboardInterrupt):
        write()
    assert np.load(path).tolist() == []
