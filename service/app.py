"""The service as BentoML loads it: ``bentoml serve .`` starts it."""

# mypy: disable-error-code="untyped-decorator"
# BentoML marks its package as typed, but not the one its decorators live in.

import bentoml
from opentelemetry.trace import Tracer
from starlette.datastructures import State
from starlette.types import ASGIApp

from model_store import SentimentModel, require_device
from service import routes
from service.memory import configure_heap
from service.middleware.stack import service_class
from service.schemas import EXAMPLE_TEXT
from service.server.internals import install_protocol
from service.settings import read_settings

# On import, so that `bentoml serve` stops at an invalid one instead of starting over and over.
settings = read_settings()
require_device(settings.device)
configure_heap()
install_protocol(access_log=settings.access_log, keep_alive_seconds=settings.keep_alive_seconds)
state = State()


def create_app(tracer: Tracer | None) -> ASGIApp:
    """The application, which answers from what the service has loaded."""
    app = routes.create_app(settings, tracer=tracer)
    app.state = state
    return app


@bentoml.service(name="sentiment", workers=settings.workers, service_class=service_class(create_app))
class SentimentService:
    """Sentiment with reasons: labels and scores, what every token adds, and its representation in context."""

    def __init__(self) -> None:
        # Verifies every file's hash.
        model = SentimentModel.load(settings.model, device=settings.device, working_bytes=settings.working_bytes)
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
