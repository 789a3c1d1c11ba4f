"""The metrics at /metrics. ``docs/reference/operations.md`` lists them, ``deploy/grafana/`` draws them.

Every label has few values, whatever clients send: endpoints come from the table of endpoints, reasons and labels of
texts from the wire format and the model, languages from the detector. Several workers keep their numbers in files,
whose folder the supervisor names in ``PROMETHEUS_MULTIPROC_DIR``; a reply adds them up.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import permutations
from typing import Literal, TypeVar, get_args

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

from model_store import Prediction
from model_store.drift import Quantity
from service.monitoring.processes import WorkerProcesses
from service.monitoring.supervisor_metrics import EXCHANGES_HELP, WORKER_DEATHS_HELP, Exchange
from service.schemas import ErrorCode, LineErrorCode, ModelCard

MetricT = TypeVar("MetricT", Counter, Histogram)

Stage = Literal["queue", "tokenize", "inference", "encode"]
"""The stages of a request, in order."""

ShadowOutcome = Literal["agreed", "differed", "failed", "dropped"]
"""What came of a text that the shadow was to read; it has no room for one that is dropped."""

CloseReason = Literal["head_too_slow", "not_read", "close_too_slow", "gave_way", "too_many"]
"""Why the service cuts off a connection."""

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
POWERS_OF_TWO = tuple(2.0**power for power in range(18))
DISTANCES = tuple(step / 10 for step in range(1, 21))
SHARES = tuple(step / 20 for step in range(1, 21))

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
TEXTS_A_REQUEST = Histogram(
    "sentiment_texts_per_batch", "Texts of a request in one call of the model.", buckets=POWERS_OF_TWO
)
TOKENS_A_REQUEST = Histogram("sentiment_tokens_per_batch", "Their tokens.", buckets=POWERS_OF_TWO)
TEXTS = Counter("sentiment_texts", "Texts answered, by model and label.", ["model", "label"])
CONFIDENCE = Histogram("sentiment_confidence", "The score of each label a text was given.", ["model"], buckets=SHARES)
UNCONFIDENT = Counter("sentiment_unconfident_texts", "Texts whose answer is not confident.", ["model"])
UNREAD = Counter("sentiment_unread_texts", "Texts whose answer is not confident for unknown tokens.", ["model"])
TOKENS = Counter("sentiment_tokens", "Tokens read.", ["model"])
UNKNOWN_TOKENS = Counter("sentiment_unknown_tokens", "Tokens read that the vocabulary lacks.", ["model"])
TRUNCATED = Counter("sentiment_truncated_texts", "Texts of which one end was truncated.", ["model"])
LANGUAGES = Counter("sentiment_text_languages", "Texts by their language, where languages are detected.", ["language"])
KEY_REQUESTS = Counter("sentiment_key_requests", "Calls with a key that compute, by its name.", ["key"])
KEY_TEXTS = Counter("sentiment_key_texts", "Their texts.", ["key"])
KEY_TOKENS = Counter("sentiment_key_tokens", "Their tokens.", ["key"])
KEY_REFUSALS = Counter("sentiment_key_refusals", "Calls beyond a key's quota, by the limit.", ["key", "limit"])
SHADOW_TEXTS = Counter("sentiment_shadow_texts", "Texts for the shadow, by what came of them.", ["outcome"])
SHADOW_FLIPS = Counter(
    "sentiment_shadow_flips", "Texts that the shadow labels otherwise, by both labels.", ["label", "shadow_label"]
)
SHADOW_DISTANCE = Histogram(
    "sentiment_shadow_polarity_distance", "How far the two models' polarities are apart, 0 to 2.", buckets=DISTANCES
)
WORKER_DEATHS = Counter("sentiment_worker_deaths", WORKER_DEATHS_HELP)
OPEN_CONNECTIONS = Gauge("sentiment_open_connections", "Connections of clients.", multiprocess_mode="livesum")
CLOSED_CONNECTIONS = Counter("sentiment_closed_connections", "Connections that the service cut off.", ["reason"])
MODEL = Gauge(
    "sentiment_model_info",
    "1 for a model that a worker serves, 0 once it serves another in its place.",
    ["name", "version", "sha256"],
    multiprocess_mode="livemax",
)
DRIFT_INDEX = Gauge(
    "sentiment_drift_stability_index",
    "Population stability index of the last texts against the bundle's reference; NaN until there are enough.",
    ["model", "quantity"],
    multiprocess_mode="livemostrecent",
)
DRIFT_DIVERGENCE = Gauge(
    "sentiment_drift_divergence",
    "Jensen-Shannon divergence of the same in bits, 0 to 1.",
    ["model", "quantity"],
    multiprocess_mode="livemostrecent",
)
EXCHANGES = Counter("sentiment_model_exchanges", EXCHANGES_HELP, ["model", "outcome"])
PROCESSES = WorkerProcesses()
REGISTRY.register(PROCESSES)

KEY_USE = {"requests": KEY_REQUESTS, "texts": KEY_TEXTS, "tokens": KEY_TOKENS}

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


def serving(card: ModelCard, *, before: ModelCard | None) -> None:
    """Name a model, and let series start at 0 that would be absent until their first event."""
    if before:
        not_serving(before)
    MODEL.labels(card.name, card.version, card.sha256).set(1)
    for label in card.labels:
        TEXTS.labels(card.name, label.name)
    for metric in (CONFIDENCE, UNCONFIDENT, UNREAD, TOKENS, UNKNOWN_TOKENS, TRUNCATED):
        metric.labels(card.name)
    for outcome in get_args(Exchange):
        EXCHANGES.labels(card.name, outcome)
    for reason in get_args(CloseReason):
        CLOSED_CONNECTIONS.labels(reason)


def not_serving(card: ModelCard) -> None:
    """Say that a model is not served any more."""
    MODEL.labels(card.name, card.version, card.sha256).set(0)


def watching(model: str) -> None:
    """Let a model's drift be unknown until enough texts were answered."""
    for quantity in get_args(Quantity):
        drifted(model, quantity, float("nan"), float("nan"))


def drifted(model: str, quantity: Quantity, stability_index: float, divergence: float) -> None:
    """Show how far the last texts are from the model's reference."""
    DRIFT_INDEX.labels(model, quantity).set(stability_index)
    DRIFT_DIVERGENCE.labels(model, quantity).set(divergence)


def exchanged(model: str, outcome: Exchange) -> None:
    """Count an attempt to exchange a model."""
    EXCHANGES.labels(model, outcome).inc()


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
def _texts(model: str, label: str) -> Counter:
    return TEXTS.labels(model, label)


@cache
def _series(metric: MetricT, name: str) -> MetricT:
    return metric.labels(name)


@cache
def _languages(language: str) -> Counter:
    return LANGUAGES.labels(language)


def requested(endpoint: str, status: int, *, seconds: float | None = None, error: ErrorCode | None = None) -> None:
    """Count one request at its end; ``seconds`` is None if its start is unknown."""
    _requests(endpoint, status).inc()
    if seconds is not None:
        _request_seconds(endpoint).observe(seconds)
    if error:
        REJECTIONS.labels(error).inc()


def answered(model: str, predictions: Sequence[Prediction]) -> None:
    """Count texts that a model was given in one call."""
    tokens = 0
    confidence = _series(CONFIDENCE, model)
    by_label: dict[str, int] = {}
    for prediction in predictions:
        tokens += prediction.token_count
        for label in prediction.labels:
            by_label[label] = by_label.get(label, 0) + 1
            confidence.observe(prediction.scores[label])
    for label, count in by_label.items():
        _texts(model, label).inc(count)
    TEXTS_A_REQUEST.observe(len(predictions))
    TOKENS_A_REQUEST.observe(tokens)
    _series(TOKENS, model).inc(tokens)
    if unknown := sum(prediction.unknown_count for prediction in predictions):
        _series(UNKNOWN_TOKENS, model).inc(unknown)
    if unconfident := sum(prediction.confident is False for prediction in predictions):
        _series(UNCONFIDENT, model).inc(unconfident)
    if unread := sum("unknown_tokens" in prediction.reasons for prediction in predictions):
        _series(UNREAD, model).inc(unread)
    if truncated := sum(prediction.truncated for prediction in predictions):
        _series(TRUNCATED, model).inc(truncated)


def detected(language: str) -> None:
    """Count a text's language; the detector knows 60."""
    _languages(language).inc()


def unanswered(reasons: Iterable[LineErrorCode]) -> None:
    """Count lines of a stream that got an error."""
    for reason in reasons:
        BULK_ERRORS.labels(reason).inc()


def key_used(key: str, unit: str, count: int) -> None:
    """Count what a key has used: requests, texts or tokens."""
    if count:
        _series(KEY_USE[unit], key).inc(count)


def shadowing(labels: Sequence[str]) -> None:
    """Let the series of a shadow with these labels start at 0."""
    for outcome in get_args(ShadowOutcome):
        SHADOW_TEXTS.labels(outcome)
    for one, other in permutations(labels, 2):
        SHADOW_FLIPS.labels(one, other)


def shadowed(outcome: ShadowOutcome) -> None:
    """Count a text for the shadow."""
    SHADOW_TEXTS.labels(outcome).inc()


def flipped(labels: Sequence[str], shadow_labels: Sequence[str]) -> None:
    """Count two labels that differ; sets of labels are too many to be series."""
    if len(labels) == len(shadow_labels) == 1:
        SHADOW_FLIPS.labels(labels[0], shadow_labels[0]).inc()


def staged(stages: Mapping[Stage, float]) -> None:
    """Count the time one request spent in each stage."""
    for stage, seconds in stages.items():
        _stage_seconds(stage).observe(seconds)
