"""Admission by work: a request that could not be answered before its deadline is refused at once.

The work of a request is its number of tokens times the seconds that tokens have taken in this process of late. The
tokens are estimated from the size of the body until they are known.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from service.errors import RequestError
from service.middleware.request_context import RequestContext

LARGE_BYTES = 128 * 1024
"""Bodies above this size are large: only a few of them are begun at the same time, because each holds its texts, tokens
and answers in memory until it is done. The others take their turns."""

MARGIN = 0.8
"""The share of its time within which a request must be expected to end: no forecast is exact, and short requests still
come in between."""

SMALL_SECONDS = 0.1
"""A request with less work than this is admitted whoever else becomes late by it."""

MEMORY = 0.9
"""What the rates so far count beside those of the next request."""


@dataclass(slots=True, eq=False)
class Job:
    """An admitted request: the size of its body in bytes, and what it has done so far."""

    size: int
    context: RequestContext


class Workload:
    """The requests that wait or compute, and how fast they are. Used by the event loop only.

    Args:
        threads: how many requests compute at the same time.
        max_request_tokens: the most tokens that a request may have.
    """

    def __init__(self, threads: int, *, max_request_tokens: int) -> None:
        self._threads = threads
        self._max_tokens = max_request_tokens
        self._jobs: set[Job] = set()
        # Sums over the requests so far, older ones with less weight.
        self._seconds = 0.0
        self._tokens = 0.0
        self._bytes = 0.0

    def admit(self, size: int, context: RequestContext, *, streams: int = 0) -> Job:
        """Admit a request if it and the others can be expected to end in time.

        Args:
            size: bytes of its body.
            context: the request.
            streams: how many streams compute beside it.

        Raises:
            RequestError: ``overloaded``, with the seconds after which it would be admitted.
        """
        job = Job(size, context)
        before = {other: self._work(other) for other in self._jobs}
        work = {job: self._work(job), **before}
        late = self._late(job, work, streams=streams)
        if work[job] >= SMALL_SECONDS:
            late = max(
                late,
                *(
                    self._late(other, work, streams=streams)
                    for other in before
                    if self._late(other, before, streams=streams) <= 0  # else it is late in any case
                ),
                0.0,
            )
        if late > 0 and (before or streams):  # a request that is alone is given its chance
            raise _overloaded(late)
        self._jobs.add(job)
        return job

    def learn(self, job: Job) -> None:
        """Learn from a request that was answered how fast requests are."""
        context = job.context
        if context.turn is None or not context.knows_tokens or not context.tokens:
            return
        self._seconds = MEMORY * self._seconds + context.turn.seconds
        self._tokens = MEMORY * self._tokens + context.tokens
        self._bytes = MEMORY * self._bytes + job.size

    def end(self, job: Job) -> None:
        """Forget a request that has been answered or given up."""
        self._jobs.discard(job)

    def _late(self, job: Job, work: Mapping[Job, float], *, streams: int) -> float:
        """Seconds by which a request is expected to end too late; at most 0 if it is in time.

        All take turns, so each other one computes as long as this one at most. Large ones wait for each other.
        """
        own = work[job]
        ahead = sum(
            seconds if min(job.size, other.size) > LARGE_BYTES else min(seconds, own) for other, seconds in work.items()
        )
        end = max(own, (ahead + streams * own) / self._threads)
        return end - MARGIN * job.context.seconds_left()

    def _work(self, job: Job) -> float:
        """Seconds of computing that are left of a request; 0 as long as nothing is known."""
        if not self._tokens:
            return 0.0
        context = job.context
        tokens = context.tokens
        if not context.knows_tokens:
            tokens = max(tokens, min(self._max_tokens, round(job.size * self._tokens / self._bytes)))
        done = context.turn.seconds if context.turn else 0.0
        return max(0.0, tokens * self._seconds / self._tokens - done)


def _overloaded(seconds: float) -> RequestError:
    retry_after = max(1, math.ceil(seconds))
    message = (
        "What is under way takes so long that this request would not be answered in time; "
        f"send it again in {retry_after} {'second' if retry_after == 1 else 'seconds'}."
    )
    return RequestError("overloaded", message, retry_after=retry_after)
