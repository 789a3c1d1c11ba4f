"""Spans for the stages of a request, inside the span that BentoML's tracing makes of the request."""

import time

from opentelemetry.trace import Tracer

from service.metrics import Stage
from service.middleware.request_context import OnStage


def span_of_stage(tracer: Tracer) -> OnStage:
    """What makes a span of each stage, in the trace that is current where it is called.

    The times are those the stage was measured with, so a trace, the ``Server-Timing`` header and the metrics agree.
    """

    def record(stage: Stage, start: float, end: float) -> None:
        epoch = time.time() - time.perf_counter()  # the clock that measures has no date
        span = tracer.start_span(stage, start_time=_nanoseconds(epoch + start))
        span.end(end_time=_nanoseconds(epoch + end))

    return record


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)
