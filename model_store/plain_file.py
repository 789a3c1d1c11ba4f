"""Files of a folder that may come from a stranger: no links, no devices, no more bytes than allowed."""

import errno
import os
import stat
from pathlib import Path

from model_store.errors import BundleError


def read_plain_file(path: Path, *, max_bytes: int) -> bytes:
    """A file's content. Kind and size are checked before a byte is read, on the same open file.

    Raises:
        BundleError: the file is missing, cannot be read, is a link, a folder, a pipe or a device, or is too large.
    """
    try:
        descriptor = _open(path)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise BundleError(path, "is not a plain file but a folder, a pipe or a device")
            content = _read(descriptor, max_bytes)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        raise BundleError(path, "is missing") from None
    except OSError as error:
        raise BundleError(path, f"cannot be read ({error.strerror})") from error
    if content is None:
        raise BundleError(path, f"is larger than {max_bytes:,} bytes, the most that such a file of a bundle may have")
    return content


def _read(descriptor: int, max_bytes: int) -> bytes | None:
    """The content, or None if it is too large, also if the file grows while it is read."""
    if os.fstat(descriptor).st_size > max_bytes:
        return None
    with open(descriptor, "rb", closefd=False) as stream:
        content = stream.read(max_bytes + 1)
    return content if len(content) <= max_bytes else None


def _open(path: Path) -> int:
    try:
        # Without O_NONBLOCK, opening a pipe waits until another process writes to it.
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise BundleError(path, "is a symbolic link; put a copy of the file in its place") from None
        raise
