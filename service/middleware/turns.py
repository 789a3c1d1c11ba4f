"""Turns: the computing threads, shared fairly by many requests.

A request computes during its turn. Between two pieces of its work, such as two texts, it lets others go first if its
turn has been long enough. The turn goes to the request that has had the least time; a new one starts at the average, so
it goes ahead of those that have computed for long, and they are still served however many new ones come. This is
weighted fair queueing with equal weights (Demers, Keshav and Shenker 1989), by measured time instead of packet length.
"""

import heapq
import threading
import time
from itertools import count
from types import TracebackType
from typing import Self

TURN_SECONDS = 0.05
"""The least a turn lasts while others wait. Shorter ones cost more: with 20 ms, eight requests together took 2 to 5%
more processor time than one after the other."""


class Turns:
    """Up to ``threads`` turns at the same time. Safe to use from several threads."""

    def __init__(self, threads: int) -> None:
        self._lock = threading.Lock()
        self._free = threads
        self._waiting: list[tuple[float, int, Turn]] = []  # a heap, the least served first
        self._order = count()
        self._active = 0  # those that compute or wait
        self._average = 0.0  # seconds that a request would have had that has been active from the beginning

    @property
    def is_contended(self) -> bool:
        """Whether a request waits for its turn."""
        return bool(self._waiting)

    def start(self, turn: "Turn") -> None:
        """Wait until it is this request's turn."""
        with self._lock:
            self._active += 1
            turn.served = max(turn.served, self._average)
            if self._free:
                self._free -= 1
                return
            self._wait(turn)
        turn.granted.acquire()

    def end(self, turn: "Turn", seconds: float) -> None:
        """Give the turn to the next; it has lasted so many seconds."""
        with self._lock:
            self._charge(turn, seconds)
            self._active -= 1
            if self._waiting:
                self._grant()
            else:
                self._free += 1

    def pass_on(self, turn: "Turn", seconds: float) -> None:
        """Give the turn to the least served, and wait for the next one."""
        with self._lock:
            self._charge(turn, seconds)
            self._wait(turn)
            self._grant()
        turn.granted.acquire()

    def _charge(self, turn: "Turn", seconds: float) -> None:
        turn.served += seconds
        self._average += seconds / self._active

    def _wait(self, turn: "Turn") -> None:
        heapq.heappush(self._waiting, (turn.served, next(self._order), turn))

    def _grant(self) -> None:
        heapq.heappop(self._waiting)[2].granted.release()


class Turn:
    """One request's turns, in a ``with`` statement around its work; one thread at a time.

    Attributes:
        served: seconds it has computed in turns that have ended, counted from the average at its start.
        granted: released when its turn comes.
    """

    def __init__(self, turns: Turns) -> None:
        self.served = 0.0
        self.granted = threading.Semaphore(0)
        self._turns = turns
        self._ended = 0.0  # seconds of the turns that have ended
        self._started: float | None = None

    @property
    def seconds(self) -> float:
        """How long it has computed so far."""
        return self._ended + self._lasted()

    def __enter__(self) -> Self:
        """Wait for the turn."""
        self._turns.start(self)
        self._started = time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the turn."""
        self._turns.end(self, self._stop())

    def pass_on(self) -> tuple[float, float] | None:
        """Let others go first if they wait and this turn was long enough.

        Returns:
            Start and end of the wait, in seconds of ``time.perf_counter``; None if there was none.
        """
        if not self._turns.is_contended or self._lasted() < TURN_SECONDS:
            return None
        ended = time.perf_counter()
        self._turns.pass_on(self, self._stop())
        self._started = time.perf_counter()
        return ended, self._started

    def _lasted(self) -> float:
        started = self._started  # another thread may end the turn meanwhile
        return 0.0 if started is None else time.perf_counter() - started

    def _stop(self) -> float:
        """Seconds of the turn that ends."""
        seconds = self._lasted()
        self._ended += seconds
        self._started = None
        return seconds
