"""Spans for the stages of a request, inside the request's own span."""

import time

from opentelemetry.trace import Tracer

from service.middleware.request_context import OnStage
from service.monitoring.metrics import Stage


def stage_recorder(tracer: Tracer) -> OnStage:
    """A callback that records each stage as a span of the current trace.

    The times are those the stage was measured with, so a trace, the ``Server-Timing`` header and the metrics agree.
    """

    def record(stage: Stage, start: float, end: float) -> None:
        epoch = time.time() - time.perf_counter()  # ``perf_counter`` starts at an arbitrary time
        span = tracer.start_span(stage, start_time=_nanoseconds(epoch + start))
        span.end(end_time=_nanoseconds(epoch + end))

    return record


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)
