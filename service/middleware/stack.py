"""The layers around the application, from the outside in."""

from opentelemetry.trace import Tracer
from starlette.middleware import Middleware

from service.endpoints import EndpointTable
from service.middleware.authentication import ApiKeyMiddleware, cors
from service.middleware.concurrency import ConcurrencyLimiter, Kind
from service.middleware.error_envelope import ErrorEnvelopeMiddleware
from service.middleware.keys import KeyRing
from service.middleware.limits import RequestLimitMiddleware
from service.middleware.security_headers import SecurityHeadersMiddleware
from service.middleware.tracing import stage_recorder
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
