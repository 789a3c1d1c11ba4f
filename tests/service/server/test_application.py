"""How BentoML serves our application: what it says of its configuration, and where requests go."""

import inspect

import bentoml
import pytest
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware

from service.server import application
from service.server.application import service_class


async def our_application(_scope, _receive, _send):
    raise NotImplementedError


@pytest.mark.parametrize("exporter", [None, "otlp"])
def test_bentoml_says_whether_traces_are_exported(monkeypatch, exporter):
    monkeypatch.setitem(application.BentoMLContainer.config.get()["tracing"], "exporter_type", exporter)
    assert application.exports_traces() is (exporter is not None)


@pytest.mark.parametrize("exports", [False, True])
def test_requests_go_to_the_application_inside_bentomls_tracing(monkeypatch, exports):
    monkeypatch.setattr("service.server.application.exports_traces", lambda: exports)
    tracers = []

    def create_app(tracer):
        tracers.append(tracer)
        return our_application

    @bentoml.service(name="probe", service_class=service_class(create_app))
    class Probe:
        pass

    joined = Probe.to_asgi()
    served = inspect.getclosurevars(joined).nonlocals["app"]
    assert (tracers[0] is not None) == exports
    assert isinstance(served, OpenTelemetryMiddleware) == exports
    assert (served.app if exports else served) is our_application
