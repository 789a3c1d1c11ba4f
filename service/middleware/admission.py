"""How much is under way in this process, and the refusal of what would be too much."""

import threading
from collections.abc import Callable
from typing import Literal

from service.errors import RequestError

Kind = Literal["requests", "streams"]


class Admission:
    """Counts requests, streams and the bytes they hold. Safe to call from several threads at once."""

    def __init__(self, *, max_in_flight: int, max_streams: int, max_bytes: int) -> None:
        self._places: dict[Kind, int] = {"requests": max_in_flight, "streams": max_streams}
        self._taken: dict[Kind, int] = {"requests": 0, "streams": 0}
        self._max_bytes = max_bytes
        self._bytes = 0
        self._lock = threading.Lock()

    @property
    def in_flight(self) -> int:
        """Requests that wait or are computed."""
        return self._taken["requests"]

    @property
    def bytes_held(self) -> int:
        """Bytes in bodies and representations."""
        return self._bytes

    def refuse_if_full(self) -> None:
        """Raises ``RequestError`` where ``enter`` would, so that a body need not be read in vain."""
        if self._taken["requests"] >= self._places["requests"]:
            raise RequestError("overloaded")

    def enter(self, kind: Kind) -> Callable[[], None]:
        """Takes a place, and returns how to give it back; giving it back twice does nothing.

        Raises:
            RequestError: all places are taken.
        """
        with self._lock:
            if self._taken[kind] >= self._places[kind]:
                raise RequestError("overloaded")
            self._taken[kind] += 1
        still_there = [kind]

        def leave() -> None:
            with self._lock:
                if still_there:
                    self._taken[still_there.pop()] -= 1

        return leave

    def hold(self, count: int) -> None:
        """Counts bytes that are about to be held.

        Raises:
            RequestError: all requests together would hold too many.
        """
        with self._lock:
            if self._bytes + count > self._max_bytes:
                raise RequestError("overloaded")
            self._bytes += count

    def let_go(self, count: int) -> None:
        """Counts bytes that are no longer held."""
        with self._lock:
            self._bytes -= count
