"""The threads in which requests are computed, and how long a request waits for its turn and its answer."""

import asyncio
import contextvars
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from service.errors import ClientGoneError, RequestError
from service.middleware.request_context import RequestContext, current_request

WATCH_AFTER_SECONDS = 0.02
"""How long to wait before starting a disconnect watcher. Most requests finish earlier."""

INLINE_BYTES = 512
"""A body up to this size is computed in the event loop if no other request is waiting. It holds about 80 tokens and
takes a few milliseconds; a thread hop would cost more than it saves."""

T = TypeVar("T")


class InferenceExecutor:
    """Threads for computing. ONNX Runtime and the tokenizer release the interpreter's lock, so threads help."""

    def __init__(self, threads: int) -> None:
        self.executor = ThreadPoolExecutor(threads, thread_name_prefix="inference")

    def close(self) -> None:
        """Wait for the running requests."""
        self.executor.shutdown()

    async def run(self, function: Callable[[], T], *, size: int) -> T:
        """Compute for the current request: in a thread, unless the body is small and no other request is waiting.

        Args:
            function: what to compute.
            size: bytes of the request's body.

        Raises:
            RequestError: the deadline passed. Waiting work is dropped, running work stops.
            ClientGoneError: the client disconnected. Work is dropped or stopped in the same way.
        """
        context = current_request()
        start = partial(_computed, function, context, submitted=time.perf_counter())
        if size <= INLINE_BYTES and context.is_alone:
            return start()
        variables = contextvars.copy_context()
        future = asyncio.get_running_loop().run_in_executor(self.executor, partial(variables.run, start))
        try:
            await _finished(future, context)
            return await future
        finally:
            context.stop()  # also when this handler is cancelled
            future.cancel()  # has no effect on a finished future


def _computed(function: Callable[[], T], context: RequestContext, *, submitted: float) -> T:
    started = time.perf_counter()
    context.passed("queue", submitted, started)
    context.check()
    result = function()
    known = context.stages.get("tokenize", 0.0) + context.stages.get("inference", 0.0)
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
