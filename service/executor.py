"""The threads in which requests are computed, and how long a request waits for its turn and its answer."""

import asyncio
import contextvars
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from service.errors import ClientGoneError, RequestError
from service.middleware.request_context import Work, current_work

PATIENCE = 0.02
"""Seconds after which it is worth a task to watch whether the client is still there; most answers are made by then."""

SHORT = 400
"""Characters in all texts of a request, up to which one that is alone is computed in the event loop: some 80 tokens, a
few milliseconds. Handing it to a thread and watching over it takes time too, and would free the loop for nobody."""

T = TypeVar("T")


class Inference:
    """Threads for computing. ONNX Runtime and the tokenizer work without the interpreter's lock, so threads help."""

    def __init__(self, threads: int) -> None:
        self.executor = ThreadPoolExecutor(threads, thread_name_prefix="inference")

    def close(self) -> None:
        """Lets the requests under way finish."""
        self.executor.shutdown()

    async def run(self, function: Callable[[], T], *, characters: int | None = None) -> T:
        """Computes for the request that is being answered: in a thread, unless it is short and there is no other.

        Args:
            function: what to compute.
            characters: of all texts; None where nobody counted, which is never short.

        Raises:
            RequestError: the deadline passed. What waited is not computed, what was computed stops.
            ClientGoneError: nobody waits any more; likewise.
        """
        work = current_work()
        start = partial(_computed, function, work, submitted=time.perf_counter())
        if characters is not None and characters <= SHORT and work.is_alone:
            return start()
        context = contextvars.copy_context()
        future = asyncio.get_running_loop().run_in_executor(self.executor, partial(context.run, start))
        try:
            await _finished(future, work)
            return await future
        finally:
            work.stop()  # also when this handler is cancelled
            future.cancel()  # does nothing to what is done


def _computed(function: Callable[[], T], work: Work, *, submitted: float) -> T:
    started = time.perf_counter()
    work.passed("queue", submitted, started)
    work.check()
    result = function()
    known = work.stages.get("tokenize", 0.0) + work.stages.get("inference", 0.0)
    ended = time.perf_counter()
    work.passed("encode", started + known, ended)  # all that is not one of the other two, mostly at the end
    return result


async def _finished(future: asyncio.Future[T], work: Work) -> None:
    """Waits for the future as long as somebody wants it."""
    await asyncio.wait((future,), timeout=min(PATIENCE, work.seconds_left()))
    if future.done():
        return
    gone = asyncio.ensure_future(work.client_gone())
    try:
        await asyncio.wait((future, gone), timeout=work.seconds_left(), return_when=asyncio.FIRST_COMPLETED)
    finally:
        gone.cancel()
    if future.done():
        return
    if gone.done():
        raise ClientGoneError
    raise RequestError("deadline_exceeded")
