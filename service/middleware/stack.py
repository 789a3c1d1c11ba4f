"""The layers around the application, from the outside in, and how BentoML serves the result.

BentoML's own layers stay out of a request's way: its metrics make a new series for every path that a scanner tries, its
access log has no request id, its timeout keeps a timer and some 5 kB of every request until it would have passed, and
its tracing costs a fifth of a small request if no exporter is configured. ``python -m benchmarks.overhead`` measures
them.
"""

from collections.abc import Callable
from typing import Any, cast

import bentoml
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.trace import Tracer
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from service.endpoints import EndpointTable
from service.middleware.authentication import ApiKeyMiddleware, cors
from service.middleware.concurrency import ConcurrencyLimiter, Kind
from service.middleware.error_envelope import ErrorEnvelopeMiddleware
from service.middleware.keys import KeyRing
from service.middleware.limits import RequestLimitMiddleware
from service.middleware.security_headers import SecurityHeadersMiddleware
from service.middleware.tracing import stage_recorder
from service.server.internals import exports_traces
from service.server.memory import MemoryGuard
from service.settings import Settings


def build_middleware(settings: Settings, table: EndpointTable, *, tracer: Tracer | None = None) -> list[Middleware]:
    """The layers from the outside in. With a tracer, the stages of a request become spans."""
    places: dict[Kind, int] = {"requests": settings.max_in_flight, "streams": settings.max_streams}
    limiter = ConcurrencyLimiter(
        max_in_flight=places["requests"],
        max_streams=places["streams"],
        max_bytes=settings.max_bytes_in_flight,
        guard=MemoryGuard.for_process(settings.max_resident_bytes),
    )
    return [
        Middleware(SecurityHeadersMiddleware),
        Middleware(ErrorEnvelopeMiddleware, table=table, access_log=settings.access_log),
        *([cors(settings.cors_origins)] if settings.cors_origins else []),
        *([Middleware(ApiKeyMiddleware, keys=KeyRing(settings), places=places)] if settings.needs_keys else []),
        Middleware(
            RequestLimitMiddleware,
            limiter=limiter,
            max_body_bytes=settings.max_body_bytes,
            deadline_seconds=settings.deadline_seconds,
            on_stage=stage_recorder(tracer) if tracer else None,
        ),
    ]


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
