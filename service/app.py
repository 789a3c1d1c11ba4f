"""The service as BentoML loads it: ``bentoml serve .`` starts it."""

# mypy: disable-error-code="untyped-decorator"
# BentoML marks its package as typed, but not the one its decorators live in.

import os
from pathlib import Path

import bentoml
from opentelemetry.trace import Tracer
from starlette.datastructures import State
from starlette.types import ASGIApp

from model_store import BundleError, DeviceError, SentimentModel, bundle, require_device
from service import routes
from service.adapters.table import adapter_endpoints
from service.middleware.stack import service_class
from service.monitoring.access_log import install_access_log
from service.schemas import EXAMPLE_TEXT
from service.server.connections import ConnectionOptions
from service.server.descriptors import reserve_descriptors
from service.server.internals import install_protocol, is_worker
from service.server.memory import configure_heap
from service.settings import PREFIX, SettingsError, read_settings
from service.texts.languages import language_detector

# On import, so that `bentoml serve` stops at an invalid one instead of starting over and over.
try:
    settings = read_settings()
    adapter_endpoints(settings.adapters)
    language_detector(settings)
    require_device(settings.device)
except (SettingsError, DeviceError) as error:
    raise SystemExit(str(error)) from None
install_access_log(settings.access_log_format)
configure_heap()
if is_worker():
    install_protocol(
        ConnectionOptions(
            access_log=settings.access_log,
            keep_alive_seconds=settings.keep_alive_seconds,
            head_seconds=settings.head_seconds,
            close_seconds=settings.deadline_seconds,
            max_connections=reserve_descriptors(settings.max_connections),
        )
    )
else:
    from service.server.supervisor import install_supervisor  # which a worker need not load

    install_supervisor(drain_seconds=settings.drain_seconds, grace_seconds=settings.grace_seconds)
state = State()


def create_app(tracer: Tracer | None) -> ASGIApp:
    """The application, which answers from what the service has loaded."""
    app = routes.create_app(settings, tracer=tracer)
    app.state = state
    return app


def require_bundle(folder: Path, sha256: str) -> None:
    """Raise ``BundleError`` if another bundle is demanded."""
    if settings.model_sha256 not in {None, sha256}:
        reason = (
            f"the SHA-256 of {bundle.MANIFEST} is {sha256}, expected {settings.model_sha256} "
            f"({PREFIX}MODEL_SHA256, or the bundle as it was when the service started); restart the service to serve it"
        )
        raise BundleError(folder, reason)


@bentoml.service(name="sentiment", workers=settings.workers, service_class=service_class(create_app))
class SentimentService:
    """Sentiment with reasons: labels and scores, what every token adds, and its representation in context."""

    @bentoml.on_deployment
    def verify_bundle() -> None:
        """Verify the bundle before the service listens, and pin it for the workers (in the supervisor)."""
        try:
            verified = bundle.read(bundle.resolve(settings.model))
            require_bundle(verified.path, verified.sha256)
        except BundleError as error:
            message = f"The service cannot start with this bundle.\n{error}"
            raise SystemExit(message) from None
        os.environ[f"{PREFIX}MODEL_SHA256"] = verified.sha256

    def __init__(self) -> None:
        # Verifies every file's hash.
        model = SentimentModel.load(settings.model, device=settings.device, working_bytes=settings.working_bytes)
        require_bundle(bundle.resolve(settings.model), model.sha256)
        model.represent([EXAMPLE_TEXT])  # warm up, so that the first request is not slow
        state.served = routes.serve(model, settings)

    @bentoml.on_startup
    async def listen_for_shutdown(self) -> None:
        """Run in the event loop of the server, which has installed its own handlers by now."""
        state.served.shutdown.listen()

    @bentoml.on_shutdown
    def close(self) -> None:
        """Wait for the running requests."""
        state.served.executor.close()
