"""One request's context: its deadline, the bytes it holds, and the time spent in each stage.

The predictor finds it through a context variable, which the executor passes on to its threads. Calls made outside a
request, such as the warm-up, have no limits.
"""

import asyncio
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from starlette.types import Receive

from service.errors import RequestError
from service.middleware.concurrency import ConcurrencyLimiter
from service.middleware.turns import Turn
from service.monitoring.metrics import Stage

OnStage = Callable[[Stage, float, float], None]
"""Called with each stage that has passed, its start and its end, in seconds of ``time.perf_counter``."""


class RequestContext:
    """State of one request, shared by the event loop and the thread that computes.

    Attributes:
        stages: seconds in each stage so far.
        tokens: tokens of all texts so far.
        knows_tokens: whether those are all.
        turn: the turn in which a thread computes it; None in the event loop and outside a request.
    """

    def __init__(
        self,
        limiter: ConcurrencyLimiter,
        *,
        seconds: float,
        receive: Receive | None = None,
        on_stage: OnStage | None = None,
    ) -> None:
        self.stages: dict[Stage, float] = {}
        self.tokens = 0
        self.knows_tokens = False
        self.turn: Turn | None = None
        self._limiter = limiter
        self._receive = receive
        self._on_stage = on_stage
        self._last: tuple[Stage, float, float] | None = None
        self._seconds = seconds
        self._deadline = math.inf
        self._active = True
        self._reserved = 0
        self._is_finished = False
        self._lock = threading.Lock()  # a thread may still compute when the request is over

    def start_clock(self) -> None:
        """Start the deadline."""
        self._deadline = time.monotonic() + self._seconds

    def seconds_left(self) -> float:
        """Seconds until the deadline, at least 0."""
        return max(0.0, self._deadline - time.monotonic())

    def stop(self) -> None:
        """Make the next ``check`` raise, so that the thread stops."""
        self._active = False

    def check(self) -> None:
        """Let other requests go first, and raise as ``check_deadline``. Called between two pieces of work."""
        if self.turn and (waited := self.turn.pass_on()):
            self.passed("queue", *waited)
        self.check_deadline()

    def check_deadline(self) -> None:
        """Raise ``RequestError`` once the deadline has passed or the request is over."""
        if not self._active or time.monotonic() > self._deadline:
            raise RequestError("deadline_exceeded")

    def reserve(self, count: int) -> None:
        """Reserve bytes until the request is over.

        Raises:
            RequestError: the process lacks room for them now, or would for this request alone, or the request is over.
        """
        if self._reserved + count > self._limiter.max_bytes:
            message = (
                "The answer would take more memory than all requests together may; send fewer texts in one request."
            )
            raise RequestError("too_much_work", message)
        with self._lock:
            if self._is_finished:
                raise RequestError("deadline_exceeded")
            self._limiter.reserve(count, own=self._reserved)
            self._reserved += count

    def hold(self, count: int) -> None:
        """Count bytes that the request has already taken."""
        with self._lock:
            self._limiter.hold(count)
            self._reserved += count

    def finish(self) -> int:
        """End the request, release its bytes, and return how many there were."""
        self.stop()
        self._report()
        with self._lock:
            self._is_finished = True
            released, self._reserved = self._reserved, 0
            self._limiter.release(released)
        return released

    @contextmanager
    def stage(self, name: Stage) -> Iterator[None]:
        """Add the time inside to a stage, without the waits for a turn, which ``check`` adds to their own."""
        start = time.perf_counter()
        queued = self.stages.get("queue", 0.0)
        try:
            yield
        finally:
            waited = self.stages.get("queue", 0.0) - queued
            self.passed(name, start + waited, time.perf_counter())

    def passed(self, name: Stage, start: float, end: float) -> None:
        """Add an interval to a stage, in seconds of ``time.perf_counter``."""
        self.stages[name] = self.stages.get(name, 0.0) + end - start
        if self._on_stage is None:
            return
        if self._last is not None and self._last[0] == name:  # such as the next of many texts to be tokenized
            start = self._last[1]
        else:
            self._report()
        self._last = (name, start, end)

    def _report(self) -> None:
        if self._on_stage is not None and self._last is not None:
            self._on_stage(*self._last)
        self._last = None

    async def client_gone(self) -> None:
        """Return when the client has closed its connection; its body must have been read."""
        if self._receive is None:
            await asyncio.Event().wait()  # without a client there is no disconnect
            return
        while (await self._receive())["type"] != "http.disconnect":
            pass

    def server_timing(self) -> str:
        """The stages as the value of a ``Server-Timing`` header, in milliseconds."""
        return ", ".join(f"{name};dur={1000 * seconds:.2f}" for name, seconds in self.stages.items())


_UNLIMITED = ConcurrencyLimiter(max_in_flight=0, max_streams=0, max_bytes=2**62)

request_variable: ContextVar[RequestContext | None] = ContextVar("request_variable", default=None)


def current_request() -> RequestContext:
    """The context of the current request."""
    return request_variable.get() or RequestContext(_UNLIMITED, seconds=math.inf)
