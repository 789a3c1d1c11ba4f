"""How BentoML serves our application, and what it has started this process for.

BentoML's own layers stay out of a request's way: its metrics make a new series for every path that a scanner tries, its
access log has no request id, its timeout keeps a timer and some 5 kB of every request until it would have passed, and
its tracing costs a fifth of a small request if no exporter is configured. ``python -m benchmarks.overhead`` measures
them.
"""

from collections.abc import Callable
from typing import Any, cast

import bentoml
from bentoml._internal.configuration.containers import BentoMLContainer
from opentelemetry.trace import Tracer
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send


def is_worker() -> bool:
    """Whether BentoML has started this process to serve, as one of the supervisor's workers."""
    return bentoml.server_context.worker_index is not None


def exports_traces() -> bool:
    """Whether BentoML's configuration names an exporter of traces."""
    return BentoMLContainer.config.tracing.exporter_type.get() is not None


def service_class(create_app: Callable[[Tracer | None], ASGIApp]) -> type[bentoml.Service[Any]]:
    """The class of a BentoML service whose HTTP requests an application of ours answers.

    Args:
        create_app: makes the application; it is given a tracer where BentoML is configured to export traces.
    """

    class ServiceWithApplication(bentoml.Service[Any]):  # type: ignore[misc]  # loaded lazily, so unknown to mypy
        """BentoML loads, starts and stops the service; requests go to the application."""

        def to_asgi(self, is_main: bool = True) -> ASGIApp:  # noqa: FBT001, FBT002 - BentoML's signature
            bentoml_app: Starlette = super().to_asgi(is_main)
            return _join(bentoml_app, _traced(create_app, bentoml_app) if exports_traces() else create_app(None))

    return ServiceWithApplication


def _traced(create_app: Callable[[Tracer | None], ASGIApp], bentoml_app: Starlette) -> ASGIApp:
    """The application inside BentoML's tracing, which has the exporter and the exclusions of its configuration."""
    from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware  # noqa: PLC0415 - seldom needed

    tracing: Any
    (tracing,) = (layer for layer in bentoml_app.user_middleware if cast("type", layer.cls) is OpenTelemetryMiddleware)
    app = create_app(tracing.kwargs["tracer_provider"].get_tracer("sentiment"))
    traced: ASGIApp = tracing.cls(app, *tracing.args, **tracing.kwargs)
    return traced


def _join(bentoml_app: ASGIApp, app: ASGIApp) -> ASGIApp:
    """Requests go to the application, start and stop of the server to BentoML."""

    async def joined(scope: Scope, receive: Receive, send: Send) -> None:
        await (app if scope["type"] == "http" else bentoml_app)(scope, receive, send)

    return joined
