"""Limits of this process: concurrent requests, streams, and the bytes they hold."""

import threading
from collections.abc import Callable
from typing import Literal

from service.errors import RequestError
from service.server.memory import MemoryGuard

Kind = Literal["requests", "streams"]


class ConcurrencyLimiter:
    """Counts requests, streams and bytes. Safe to call from several threads at once.

    Attributes:
        max_bytes: what all requests together may hold.
    """

    def __init__(
        self, *, max_in_flight: int, max_streams: int, max_bytes: int, guard: MemoryGuard | None = None
    ) -> None:
        self._slots: dict[Kind, int] = {"requests": max_in_flight, "streams": max_streams}
        self._acquired: dict[Kind, int] = {"requests": 0, "streams": 0}
        self.max_bytes = max_bytes
        self._guard = guard
        self._bytes = 0
        self._lock = threading.Lock()

    @property
    def in_flight(self) -> int:
        """Requests that wait or are computed."""
        return self._acquired["requests"]

    @property
    def bytes_held(self) -> int:
        """Bytes that all requests hold, by their reservations."""
        return self._bytes

    def check_capacity(self) -> None:
        """Raise ``RequestError`` where ``acquire`` would, before the body is read."""
        if self._acquired["requests"] >= self._slots["requests"]:
            raise RequestError("overloaded")

    def acquire(self, kind: Kind) -> Callable[[], None]:
        """Acquire a slot and return the function that releases it; calling that twice has no effect.

        Raises:
            RequestError: all slots are in use.
        """
        with self._lock:
            if self._acquired[kind] >= self._slots[kind]:
                raise RequestError("overloaded")
            self._acquired[kind] += 1
        unreleased = [kind]

        def release() -> None:
            with self._lock:
                if unreleased:
                    self._acquired[unreleased.pop()] -= 1

        return release

    def reserve(self, count: int, *, own: int = 0) -> None:
        """Reserve bytes.

        Args:
            count: how many.
            own: those that the same request has reserved before.

        Raises:
            RequestError: all requests together would hold too many, or the process has too little memory left.
        """
        with self._lock:
            if self._bytes + count > self.max_bytes:
                raise RequestError("overloaded")
            if self._guard is not None and not self._guard.has_room(count, idle=self._bytes == own):
                raise RequestError("overloaded", "The memory of the service is nearly used up; try again later.")
            self._bytes += count

    def hold(self, count: int) -> None:
        """Count bytes that are already taken."""
        with self._lock:
            self._bytes += count

    def release(self, count: int) -> None:
        """Release bytes."""
        with self._lock:
            self._bytes -= count
