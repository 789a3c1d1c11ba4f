"""One-dimensional .npy files that grow as they are written, and are mapped to memory to be read."""

from array import array
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.lib import format as npy
from torch import Tensor

_BUFFERED = 1 << 18  # numbers held before they are written: 1 or 2 MB


class FlatArrayWriter:
    """Writes numbers one after another; a context manager, after which the file is complete.

    Args:
        path: the ``.npy`` file.
        typecode: the ``array`` module's: ``i`` for 32 bits, ``q`` for 64, ``f`` for 32-bit floats.
    """

    def __init__(self, path: Path, typecode: Literal["i", "q", "f"]) -> None:
        self._buffer: array[Any] = array(typecode)
        self._written = 0
        self._stream = path.open("wb")
        self._write_header()

    def extend(self, numbers: Iterable[float]) -> None:
        """Put numbers at the end."""
        self._buffer.extend(numbers)
        if len(self._buffer) >= _BUFFERED:
            self._flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._flush()
                self._stream.seek(0)
                self._write_header()
        finally:
            self._stream.close()

    def _flush(self) -> None:
        self._buffer.tofile(self._stream)
        self._written += len(self._buffer)
        del self._buffer[:]

    def _write_header(self) -> None:
        # NumPy pads the header so that the first axis may grow to any length in place.
        kind = np.dtype(self._buffer.typecode)
        header = {"descr": npy.dtype_to_descr(kind), "fortran_order": False, "shape": (self._written,)}
        npy.write_array_header_1_0(self._stream, header)


def map_array(path: Path) -> Tensor:
    """The file's numbers without reading them: pages are fetched when used and given up when memory is short."""
    # "c", copy on write: torch warns of tensors that cannot be written, and the file stays as it is.
    return torch.from_numpy(np.load(path, mmap_mode="c"))
