"""The service as BentoML loads it: ``bentoml serve .`` starts it.

The supervisor imports this before it starts the workers. So that they start soon, and it stays small, what only a
worker needs is imported where it is used.
"""

# ruff: noqa: PLC0415
# mypy: disable-error-code="untyped-decorator"
# BentoML marks its package as typed, but not the one its decorators live in.

import asyncio

import bentoml
from opentelemetry.trace import Tracer
from starlette.datastructures import State
from starlette.types import ASGIApp

from model_store.errors import BundleError, DeviceError
from service.models.pins import PinFile, pinned
from service.models.references import read_all, references, shadow_reference
from service.monitoring.access_log import install_access_log
from service.server.application import is_worker, service_class
from service.server.memory import configure_heap
from service.settings import Settings, SettingsError, read_settings


def check_parts(settings: Settings) -> None:
    """Make once what the settings ask for besides models.

    Raises:
        SettingsError: a part cannot be made.
        DeviceError: the device cannot be used.
    """
    if settings.adapters:
        from service.adapters.table import adapter_endpoints

        adapter_endpoints(settings.adapters)
    if settings.unsupported_language != "off":
        from service.languages import language_detector

        language_detector(settings)
    if settings.needs_keys:
        from service.middleware.keys import KeyRing

        KeyRing(settings)
    if settings.feedback is not None:
        from service.feedback.routes import FeedbackDesk

        FeedbackDesk(settings)
    if settings.device != "cpu":
        from model_store import require_device

        require_device(settings.device)


# On import, so that `bentoml serve` stops at an invalid one instead of starting over and over.
try:
    settings = read_settings()
    requested = references(settings)
    if not is_worker():
        check_parts(settings)
except (SettingsError, DeviceError) as error:
    raise SystemExit(str(error)) from None
install_access_log(settings.access_log_format)
configure_heap()
if is_worker():
    from service.server.connections import ConnectionOptions
    from service.server.descriptors import reserve_descriptors
    from service.server.internals import install_protocol

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
    from service.models.renewal import PinRenewal
    from service.monitoring.supervisor_metrics import SupervisorMetrics
    from service.server.supervisor import install_supervisor, private_folder

    def renewal(counts: SupervisorMetrics) -> PinRenewal:
        """What renews the models in the supervisor."""
        file = PinFile.in_folder(private_folder())
        return PinRenewal(dict(zip(file.read(), requested, strict=True)), file, counts.exchanged)

    install_supervisor(drain_seconds=settings.drain_seconds, grace_seconds=settings.grace_seconds, renewal=renewal)
state = State()


def create_app(tracer: Tracer | None) -> ASGIApp:
    """The application, which answers from what the service has loaded."""
    from service import routes

    app = routes.create_app(settings, tracer=tracer)
    app.state = state
    return app


@bentoml.service(name="sentiment", workers=settings.workers, service_class=service_class(create_app))
class SentimentService:
    """Sentiment with reasons: labels and scores, what every token adds, and its representation in context."""

    @bentoml.on_deployment
    def verify_bundles() -> None:
        """Verify the bundles before the service listens, and pin them for the workers (in the supervisor)."""
        from service.server.supervisor import private_folder

        try:
            pins = pinned(read_all(requested))
            if shadow := shadow_reference(settings):
                shadow.read()
        except BundleError as error:
            message = f"The service cannot start with this bundle.\n{error}"
            raise SystemExit(message) from None
        file = PinFile.in_folder(private_folder())
        file.write(pins)
        file.announce()

    def __init__(self) -> None:
        from service import routes
        from service.models.exchange import ModelExchange, load_pinned
        from service.models.loaded import ModelLoader

        file = PinFile.of_supervisor()
        pins = file.read() if file else pinned(read_all(requested))
        loader = ModelLoader(settings, first=next(iter(pins)))
        models = load_pinned(pins, loader, routes.endpoints_of(settings))
        self._exchange = ModelExchange(dict(zip(pins, requested, strict=True)), models, loader, file)
        state.served = routes.serve(models, settings, exchange=self._exchange)

    @bentoml.on_startup
    async def begin(self) -> None:
        """Run in the event loop of the server, which has installed its own handlers by now."""
        state.served.shutdown.listen()
        self._following = asyncio.create_task(self._exchange.follow_pins())

    @bentoml.on_shutdown
    def close(self) -> None:
        """Wait for the running requests."""
        state.served.executor.close()
