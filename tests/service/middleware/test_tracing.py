"""Traces have the stages of a request where an exporter of them is configured, and cost nothing where none is."""

import pytest
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind
from starlette.testclient import TestClient

from service.middleware.limits import RequestLimitMiddleware
from service.middleware.stack import build_middleware
from service.routes import TABLE, create_app, serve
from service.settings import Settings
from tests.support.served import served_models

STAGES = ["queue", "tokenize", "inference", "encode"]
SETTINGS = Settings()


def traced(tiny_bundle, *, sampler=None):
    """The service in BentoML's tracing, and what an exporter is given of its traces."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(sampler=sampler)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    app = create_app(SETTINGS, tracer=provider.get_tracer("sentiment"))
    app.state.served = serve(served_models(tiny_bundle, settings=SETTINGS), SETTINGS)
    return TestClient(OpenTelemetryMiddleware(app, tracer_provider=provider)), exporter


def test_the_stages_are_spans_inside_the_requests_own(tiny_bundle):
    client, exporter = traced(tiny_bundle)
    assert client.post("/v1/predict", json={"texts": ["fine", "cold"]}).status_code == 200
    spans = exporter.get_finished_spans()
    (request,) = [span for span in spans if span.kind is SpanKind.SERVER]
    stages = [span for span in spans if span.name in STAGES]
    assert [span.name for span in stages] == STAGES  # the two texts are one stage
    for span in stages:
        assert span.parent.span_id == request.context.span_id
        assert request.start_time <= span.start_time <= span.end_time <= request.end_time
    assert [span.start_time for span in stages] == sorted(span.start_time for span in stages)


def test_a_trace_agrees_with_the_server_timing_header(tiny_bundle):
    client, exporter = traced(tiny_bundle)
    answer = client.post("/v1/predict", json={"texts": ["fine"]})
    header = dict(part.split(";dur=") for part in answer.headers["server-timing"].split(", "))
    spans = {span.name: (span.end_time - span.start_time) / 1e6 for span in exporter.get_finished_spans()}
    for stage in STAGES:
        assert spans[stage] == pytest.approx(float(header[stage]), abs=0.02)  # the header has two decimals


def test_the_trace_of_a_caller_goes_on(tiny_bundle):
    client, exporter = traced(tiny_bundle)
    trace, caller = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"  # the W3C recommendation's own example
    client.post("/v1/predict", json={"texts": ["fine"]}, headers={"traceparent": f"00-{trace}-{caller}-01"})
    assert {f"{span.context.trace_id:032x}" for span in exporter.get_finished_spans()} == {trace}


def test_what_is_not_sampled_is_not_exported(tiny_bundle):
    client, exporter = traced(tiny_bundle, sampler=ALWAYS_OFF)
    assert client.post("/v1/predict", json={"texts": ["fine"]}).status_code == 200
    assert exporter.get_finished_spans() == ()


def test_without_an_exporter_no_stage_is_recorded():
    (limits,) = [layer for layer in build_middleware(SETTINGS, TABLE) if layer.cls is RequestLimitMiddleware]
    assert limits.kwargs["on_stage"] is None
