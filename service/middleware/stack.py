"""Which layers stand around BentoML's application, from the outside in.

BentoML's own layers give way where ours do the same job within bounds: its metrics make a new series for every path a
scanner tries, its access log knows no request id, its timeout keeps a timer and some 5 kB of every request until it
would have passed, and its tracing costs a fifth of a small request also when no exporter is configured. What each of
them costs is in docs/operations.md.
"""

from collections.abc import Sequence
from typing import Any

import bentoml
from bentoml._internal.configuration.containers import BentoMLContainer
from opentelemetry.trace import Tracer
from starlette.applications import Starlette
from starlette.middleware import Middleware

from service.middleware.admission import Admission
from service.middleware.authentication import ApiKeys, cors
from service.middleware.error_envelope import Envelope
from service.middleware.limits import Gate
from service.middleware.tracing import span_of_stage
from service.settings import Settings

REPLACED = {"RunnerTrafficMetricsMiddleware", "AccessLogMiddleware", "TimeoutMiddleware", "MaxConcurrencyMiddleware"}
"""BentoML's layers that ours stand in for."""

TRACING = "OpenTelemetryMiddleware"


def layers(settings: Settings, *, tracer: Tracer | None = None) -> list[Middleware]:
    """Our layers, from the outside in. With a tracer, the stages of a request become spans."""
    admission = Admission(
        max_in_flight=settings.max_in_flight,
        max_streams=settings.max_streams,
        max_bytes=settings.max_bytes_in_flight,
    )
    keys = [key.get_secret_value() for key in settings.api_keys]
    return [
        Middleware(Envelope, access_log=settings.access_log),
        *([cors(settings.cors_origins)] if settings.cors_origins else []),
        *([Middleware(ApiKeys, keys=keys)] if keys else []),
        Middleware(
            Gate,
            admission=admission,
            max_body_bytes=settings.max_body_bytes,
            deadline_seconds=settings.deadline_seconds,
            on_stage=span_of_stage(tracer) if tracer else None,
        ),
    ]


def around(bentoml_layers: Sequence[Middleware], ours: Sequence[Middleware], *, tracing: bool) -> list[Middleware]:
    """Both together: what is kept of BentoML's layers, with ours outside of the one that holds its request context."""
    dropped = REPLACED if tracing else REPLACED | {TRACING}
    kept = [layer for layer in bentoml_layers if _name(layer) not in dropped]
    outside = [layer for layer in kept if _name(layer) == TRACING]
    return [*outside, *ours, *(layer for layer in kept if layer not in outside)]


def stacked(settings: Settings) -> type[bentoml.Service[Any]]:
    """The class of service whose application stands in these layers."""

    class StackedService(bentoml.Service[Any]):  # type: ignore[misc]  # loaded lazily, so unknown to mypy
        """A BentoML service in our layers."""

        def to_asgi(self, is_main: bool = True) -> Starlette:  # noqa: FBT001, FBT002 - BentoML's signature
            app: Starlette = super().to_asgi(is_main)
            tracing = BentoMLContainer.config.tracing.exporter_type.get() is not None
            tracer = BentoMLContainer.tracer_provider.get().get_tracer("sentiment") if tracing else None
            app.user_middleware = around(app.user_middleware, layers(settings, tracer=tracer), tracing=tracing)
            return app

    return StackedService


def _name(layer: Middleware) -> str:
    return getattr(layer.cls, "__name__", "")
