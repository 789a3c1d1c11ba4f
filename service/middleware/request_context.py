"""One request's work: until when somebody wants it, what it holds, and what its stages took.

BentoML calls a handler with nothing but the request's content, so the work under way is found through a context
variable, which ``Inference`` carries on into its threads. What has none, such as the warm-up, is not limited.
"""

import asyncio
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from starlette.types import Receive

from service.errors import RequestError
from service.metrics import Stage
from service.middleware.admission import Admission

OnStage = Callable[[Stage, float, float], None]
"""Is told of each stage that has passed: its start and its end, in seconds of ``time.perf_counter``."""


class Work:
    """What the event loop and the thread that computes know of one request.

    Attributes:
        stages: seconds in each stage so far.
        tokens: tokens of all texts so far.
    """

    def __init__(
        self,
        admission: Admission,
        *,
        seconds: float,
        receive: Receive | None = None,
        on_stage: OnStage | None = None,
    ) -> None:
        self.stages: dict[Stage, float] = {}
        self.tokens = 0
        self._admission = admission
        self._receive = receive
        self._on_stage = on_stage
        self._last: tuple[Stage, float, float] | None = None
        self._seconds = seconds
        self._deadline = math.inf
        self._wanted = True
        self._held = 0

    def start_clock(self) -> None:
        """From now on the deadline runs."""
        self._deadline = time.monotonic() + self._seconds

    def seconds_left(self) -> float:
        """Until the deadline; never below 0."""
        return max(0.0, self._deadline - time.monotonic())

    @property
    def is_alone(self) -> bool:
        """Whether the process has no other request to answer."""
        return self._admission.in_flight == 1

    def stop(self) -> None:
        """Nobody wants the answer any more: the thread stops at its next ``check``."""
        self._wanted = False

    def check(self) -> None:
        """Raises ``RequestError`` once the work has become useless. Called between pieces of it."""
        if not self._wanted or time.monotonic() > self._deadline:
            raise RequestError("deadline_exceeded")

    def hold(self, count: int) -> None:
        """Counts bytes that this request holds until it is answered; raises ``RequestError`` when there is no room."""
        self._admission.hold(count)
        self._held += count

    def let_go(self) -> None:
        """The request is over."""
        self.stop()
        self._tell()
        self._admission.let_go(self._held)
        self._held = 0

    @contextmanager
    def stage(self, name: Stage) -> Iterator[None]:
        """Adds the time inside to a stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.passed(name, start, time.perf_counter())

    def passed(self, name: Stage, start: float, end: float) -> None:
        """Adds a stretch of time to a stage, in seconds of ``time.perf_counter``."""
        self.stages[name] = self.stages.get(name, 0.0) + end - start
        if self._on_stage is None:
            return
        if self._last is not None and self._last[0] == name:  # such as the next of many texts to be tokenized
            start = self._last[1]
        else:
            self._tell()
        self._last = (name, start, end)

    def _tell(self) -> None:
        if self._on_stage is not None and self._last is not None:
            self._on_stage(*self._last)
        self._last = None

    async def client_gone(self) -> None:
        """Returns when the client has closed its connection; its body must have been read."""
        if self._receive is None:
            await asyncio.Event().wait()  # work without a client is never left alone
            return
        while (await self._receive())["type"] != "http.disconnect":
            pass

    def server_timing(self) -> str:
        """The stages as a ``Server-Timing`` header has them, in milliseconds."""
        return ", ".join(f"{name};dur={1000 * seconds:.2f}" for name, seconds in self.stages.items())


_UNLIMITED = Admission(max_in_flight=0, max_streams=0, max_bytes=2**62)

work_under_way: ContextVar[Work | None] = ContextVar("work_under_way", default=None)


def current_work() -> Work:
    """The work of the request that is being answered."""
    return work_under_way.get() or Work(_UNLIMITED, seconds=math.inf)
