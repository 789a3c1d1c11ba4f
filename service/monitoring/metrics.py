"""The metrics at /metrics. ``docs/reference/operations.md`` lists them, ``deploy/grafana/`` draws them.

Every label has few values, whatever clients send: endpoints come from the table of endpoints, reasons and labels of
texts from the wire format and the model. Several workers keep their numbers in files, whose folder the supervisor names
in ``PROMETHEUS_MULTIPROC_DIR``; a reply adds them up.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Literal, get_args

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.values import MultiProcessValue

from model_store import Manifest, Prediction
from service.monitoring.processes import WorkerProcesses
from service.schemas import ErrorCode, LineErrorCode

Stage = Literal["queue", "tokenize", "inference", "encode"]
"""The stages of a request, in order."""

CloseReason = Literal["head_too_slow", "not_read", "close_too_slow", "gave_way", "too_many"]
"""Why the service cuts off a connection."""

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
POWERS_OF_TWO = tuple(2.0**power for power in range(18))
SHARES = tuple(step / 20 for step in range(1, 21))

WORKER_DEATHS_HELP = "Workers that ended without being told to."
REQUESTS = Counter("sentiment_requests", "Requests answered.", ["endpoint", "status"])
REQUEST_SECONDS = Histogram(
    "sentiment_request_seconds", "From a request's head to the end of its answer.", ["endpoint"], buckets=SECONDS
)
IN_FLIGHT = Gauge("sentiment_requests_in_flight", "Requests that wait or are computed.", multiprocess_mode="livesum")
BYTES_HELD = Gauge(
    "sentiment_bytes_in_flight", "Bytes that requests hold by their reservations.", multiprocess_mode="livesum"
)
REJECTIONS = Counter("sentiment_rejections", "Requests without an answer, by error code.", ["reason"])
STREAMS = Gauge("sentiment_streams_in_flight", "Streams of /v1/bulk under way.", multiprocess_mode="livesum")
BULK_ERRORS = Counter("sentiment_bulk_errors", "Lines of streams that got an error, by its code.", ["reason"])
TEXT_ERRORS = Counter("sentiment_text_errors", "Texts without an answer in a request that has one.", ["reason"])
STAGE_SECONDS = Histogram(
    "sentiment_stage_seconds",
    "A request's time in the queue, in the tokenizer, in the model, and in writing JSON.",
    ["stage"],
    buckets=SECONDS,
)
TEXTS_A_REQUEST = Histogram("sentiment_texts_per_batch", "Texts given to the model together.", buckets=POWERS_OF_TWO)
TOKENS_A_REQUEST = Histogram("sentiment_tokens_per_batch", "Their tokens.", buckets=POWERS_OF_TWO)
TEXTS = Counter("sentiment_texts", "Texts answered, by label.", ["label"])
CONFIDENCE = Histogram("sentiment_confidence", "The score of each label a text was given.", buckets=SHARES)
UNCONFIDENT = Counter("sentiment_unconfident_texts", "Texts whose answer is not confident.")
UNREAD = Counter("sentiment_unread_texts", "Texts with so many unknown tokens that the answer is not confident.")
TOKENS = Counter("sentiment_tokens", "Tokens read.")
UNKNOWN_TOKENS = Counter("sentiment_unknown_tokens", "Tokens read that the vocabulary lacks.")
TRUNCATED = Counter("sentiment_truncated_texts", "Texts of which one end was truncated.")
WORKER_DEATHS = Counter("sentiment_worker_deaths", WORKER_DEATHS_HELP)
OPEN_CONNECTIONS = Gauge("sentiment_open_connections", "Connections of clients.", multiprocess_mode="livesum")
CLOSED_CONNECTIONS = Counter("sentiment_closed_connections", "Connections that the service cut off.", ["reason"])
MODEL = Gauge("sentiment_model_info", "1 for the model served.", ["name", "version", "sha256"], multiprocess_mode="max")
PROCESSES = WorkerProcesses()
REGISTRY.register(PROCESSES)

CONTENT_TYPE = CONTENT_TYPE_LATEST
"""The media type of Prometheus' text format."""


def render() -> bytes:
    """Every metric of all workers in Prometheus' text format."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    registry.register(PROCESSES)
    return generate_latest(registry)


def worker_death_counter(folder: Path) -> Callable[[], None]:
    """What the supervisor calls to count a death, in a file among those of the workers.

    The other metrics of its process are not in files.
    """
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    value = MultiProcessValue()(  # type: ignore[no-untyped-call]
        "counter", "sentiment_worker_deaths", "sentiment_worker_deaths_total", [], [], WORKER_DEATHS_HELP
    )
    return lambda: value.inc(1)


def serving(manifest: Manifest, sha256: str) -> None:
    """Name the model, and let series start at 0 that would be absent until their first event."""
    MODEL.labels(manifest.name, manifest.version, sha256).set(1)
    for label in manifest.label_names:
        TEXTS.labels(label)
    for reason in get_args(CloseReason):
        CLOSED_CONNECTIONS.labels(reason)


@cache  # finding the series of a label costs more than counting in it
def _requests(endpoint: str, status: int) -> Counter:
    return REQUESTS.labels(endpoint, status)


@cache
def _request_seconds(endpoint: str) -> Histogram:
    return REQUEST_SECONDS.labels(endpoint)


@cache
def _stage_seconds(stage: Stage) -> Histogram:
    return STAGE_SECONDS.labels(stage)


@cache
def _texts(label: str) -> Counter:
    return TEXTS.labels(label)


def requested(endpoint: str, status: int, *, seconds: float | None = None, error: ErrorCode | None = None) -> None:
    """Count one request at its end; ``seconds`` is None if its start is unknown."""
    _requests(endpoint, status).inc()
    if seconds is not None:
        _request_seconds(endpoint).observe(seconds)
    if error:
        REJECTIONS.labels(error).inc()


def answered(predictions: Sequence[Prediction]) -> None:
    """Count texts that the model was given in one call."""
    tokens = 0
    by_label: dict[str, int] = {}
    for prediction in predictions:
        tokens += prediction.token_count
        for label in prediction.labels:
            by_label[label] = by_label.get(label, 0) + 1
            CONFIDENCE.observe(prediction.scores[label])
    for label, count in by_label.items():
        _texts(label).inc(count)
    TEXTS_A_REQUEST.observe(len(predictions))
    TOKENS_A_REQUEST.observe(tokens)
    TOKENS.inc(tokens)
    if unknown := sum(prediction.unknown_count for prediction in predictions):
        UNKNOWN_TOKENS.inc(unknown)
    if unconfident := sum(prediction.confident is False for prediction in predictions):
        UNCONFIDENT.inc(unconfident)
    if unread := sum("unknown_tokens" in prediction.reasons for prediction in predictions):
        UNREAD.inc(unread)
    if truncated := sum(prediction.truncated for prediction in predictions):
        TRUNCATED.inc(truncated)


def unanswered(reasons: Iterable[LineErrorCode]) -> None:
    """Count lines of a stream that got an error."""
    for reason in reasons:
        BULK_ERRORS.labels(reason).inc()


def staged(stages: Mapping[Stage, float]) -> None:
    """Count the time one request spent in each stage."""
    for stage, seconds in stages.items():
        _stage_seconds(stage).observe(seconds)
