"""Bounds the memory of the runs that are under way at the same time; a run that has no room waits."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

BYTES_PER_TOKEN = 20 * 1024
"""What a run of the model is counted with for a padded token. The shipped model takes 14 to 16 kB, measured for 500 to
5,000 tokens in one text and for 1,000 in several, with contributions; nothing afterwards."""

SMALL_TOKENS = 256
"""A run up to this size is never delayed: it takes 5 MB for some milliseconds."""


class WorkingMemory:
    """Lets runs begin as long as together they stay within a number of bytes. The largest run may begin alone.

    Args:
        limit: bytes of all runs together; None for no limit.
    """

    def __init__(self, limit: int | None = None) -> None:
        self._limit = limit
        self._used = 0
        self._changed = threading.Condition()
        self._line = threading.Lock()  # held by the run that waits first, so that smaller ones do not pass it by

    @contextmanager
    def taken(self, tokens: int) -> Iterator[None]:
        """Take the memory for a run of so many padded tokens during the block."""
        if self._limit is None or tokens <= SMALL_TOKENS:
            yield
            return
        count = BYTES_PER_TOKEN * tokens
        with self._line, self._changed:
            while self._used and self._used + count > self._limit:
                self._changed.wait()
            self._used += count
        try:
            yield
        finally:
            with self._changed:
                self._used -= count
                self._changed.notify()
