"""The threads in which requests are computed, and how long a request waits for its turn and its answer."""

import asyncio
import contextvars
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from service.errors import ClientGoneError, RequestError
from service.middleware.request_context import RequestContext, current_request, request_variable
from service.middleware.together import Together
from service.middleware.turns import Turn, Turns
from service.middleware.workload import LARGE_BYTES, Workload

WATCH_AFTER_SECONDS = 0.02
"""How long to wait before starting a disconnect watcher. Most requests finish earlier."""

INLINE_BYTES = 512
"""A body up to this size is computed in the event loop, with others like it. It holds about 80 tokens and takes a few
milliseconds; a thread hop and a turn would cost more than they save."""


T = TypeVar("T")


class InferenceExecutor:
    """Threads for computing. ONNX Runtime and the tokenizer release the interpreter's lock, so threads help.

    Args:
        threads: how many requests compute at the same time; they take turns.
        max_jobs: how many requests and streams there may be at the same time.
        max_request_tokens: the most tokens that a request may have.
    """

    def __init__(self, threads: int, *, max_jobs: int = 64, max_request_tokens: int = 2**17) -> None:
        self.turns = Turns(threads)
        self._together = Together()
        self.workload = Workload(threads, max_request_tokens=max_request_tokens)
        self._streams = 0  # those that compute or wait for their turn
        self._small = ThreadPoolExecutor(max_jobs, thread_name_prefix="inference")
        self._large = ThreadPoolExecutor(max(4, 2 * threads), thread_name_prefix="inference-large")

    def close(self) -> None:
        """Wait for the running requests."""
        self._small.shutdown()
        self._large.shutdown()

    async def run(self, function: Callable[[], T], *, size: int) -> T:
        """Compute for the current request: in the event loop if the body is small, else in a thread, in turns.

        Args:
            function: what to compute.
            size: bytes of the request's body.

        Raises:
            RequestError: the deadline passed, and waiting work is dropped, running work stops; or it would pass
                before the answer is ready, and nothing is begun.
            ClientGoneError: the client disconnected. Work is dropped or stopped in the same way.
        """
        context = current_request()
        submitted = time.perf_counter()
        if size <= INLINE_BYTES:
            return await self._together.run(partial(_computed, function, context, submitted=submitted))
        job = self.workload.admit(size, context, streams=self._streams)
        context.turn = Turn(self.turns)
        threads = self._small if size <= LARGE_BYTES else self._large
        variables = contextvars.copy_context()
        work = partial(_computed_in_turn, function, context, context.turn, submitted=submitted)
        future = asyncio.get_running_loop().run_in_executor(threads, partial(variables.run, work))
        try:
            await _finished(future, context)
            result = await future
            self.workload.learn(job)
            return result
        finally:
            self.workload.end(job)
            context.stop()  # also when this handler is cancelled
            future.cancel()  # has no effect on a finished future

    async def run_part(self, function: Callable[[], T], context: RequestContext, turn: Turn) -> T:
        """Compute a part of a stream in a thread, in the stream's turn."""

        def compute() -> T:
            request_variable.set(context)
            with turn:
                return function()

        context.turn = turn
        variables = contextvars.copy_context()
        self._streams += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._small, partial(variables.run, compute))
        finally:
            self._streams -= 1


def _computed_in_turn(function: Callable[[], T], context: RequestContext, turn: Turn, *, submitted: float) -> T:
    context.check_deadline()
    with turn:
        return _computed(function, context, submitted=submitted)


def _computed(function: Callable[[], T], context: RequestContext, *, submitted: float) -> T:
    started = time.perf_counter()
    context.passed("queue", submitted, started)
    context.check_deadline()
    before = sum(context.stages.values())
    result = function()
    known = sum(context.stages.values()) - before
    ended = time.perf_counter()
    context.passed("encode", started + known, ended)  # the rest of the time, mostly at the end
    return result


async def _finished(future: asyncio.Future[T], context: RequestContext) -> None:
    """Wait for the future until the deadline, or until the client disconnects."""
    await asyncio.wait((future,), timeout=min(WATCH_AFTER_SECONDS, context.seconds_left()))
    if future.done():
        return
    gone = asyncio.ensure_future(context.client_gone())
    try:
        await asyncio.wait((future, gone), timeout=context.seconds_left(), return_when=asyncio.FIRST_COMPLETED)
    finally:
        gone.cancel()
    if future.done():
        return
    if gone.done():
        raise ClientGoneError
    raise RequestError("deadline_exceeded")
