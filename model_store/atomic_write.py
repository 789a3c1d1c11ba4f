"""Files that are there whole or not at all, also after a crash or a power cut."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


def atomic_write(path: Path, content: bytes | memoryview, *, writer: str = "") -> None:
    """Replace a file's content at once: readers see the old bytes or the new ones, never a part.

    The folder is made if it is missing. Only one process may write a path at a time, unless each names itself.

    Args:
        path: the file.
        content: its new bytes.
        writer: tells apart processes, perhaps of several machines, that may write the path at the same time.

    Raises:
        OSError: the folder cannot be written to or the disk is full; the file there before is intact.
    """
    with atomic_path(path, writer=writer) as partial:
        partial.write_bytes(content)


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """Replace a JSON file at once, as ``atomic_write`` does; indented, in ASCII."""
    atomic_write(path, f"{json.dumps(content, indent=2)}\n".encode())


@contextmanager
def atomic_path(path: Path, *, writer: str = "") -> Iterator[Path]:
    """Give a path to write to, and move what was written there to ``path`` when the block ends without an error.

    For writers that take a path, such as Parquet's. After an error the partial file is removed and ``path`` is
    unchanged. ``writer`` is that of ``atomic_write``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{writer}partial")
    try:
        yield partial
        sync(partial)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    sync(path.parent)


def sync(path: Path) -> None:
    """Bring a file's content, or a folder's list of names, to the disk (fsync)."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
