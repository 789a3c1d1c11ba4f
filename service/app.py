"""The service: one model, two calls, and the pages. ``bentoml serve .`` starts it."""

# mypy: disable-error-code="untyped-decorator"
# BentoML marks its package as typed, but not the one its decorators live in.

import logging
from collections.abc import Callable
from functools import partial
from typing import TypeVar, cast

import bentoml
from pydantic import ValidationError
from starlette.responses import Response

from model_store import SentimentModel, require_device
from service import routes
from service.engine import Engine
from service.errors import ClientGoneError, RequestError
from service.executor import Inference
from service.middleware.error_envelope import CLIENT_GONE
from service.middleware.stack import stacked
from service.predictor import Answers
from service.schemas import EXAMPLE_TEXT, PredictRequest, PredictResponse, RepresentRequest, RepresentResponse
from service.server import uvicorn_protocol
from service.server.shutdown import Draining
from service.settings import read_settings

RequestT = TypeVar("RequestT", PredictRequest, RepresentRequest)
ResponseT = TypeVar("ResponseT", PredictResponse, RepresentResponse)

# On import, so that `bentoml serve` stops at an invalid one instead of starting over and over.
settings = read_settings()
require_device(settings.device)
uvicorn_protocol.install(access_log=settings.access_log)
pages = routes.create_app()


def _is_no_client_error(record: logging.LogRecord) -> bool:
    """BentoML logs a traceback for every request that does not fit its schema; the access log's line is enough."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, (ValidationError, RequestError))


@bentoml.service(name="sentiment", workers=settings.workers, service_class=stacked(settings))
@bentoml.asgi_app(pages)
class SentimentService:
    """Sentiment with reasons: labels and scores, what every token adds, and its representation in context."""

    def __init__(self) -> None:
        model = SentimentModel.load(settings.model, device=settings.device)  # verifies every file's hash
        model.represent([EXAMPLE_TEXT])  # the first run is the slowest, and none of a client's business
        self._answers = Answers(Engine(model, settings), settings)
        self._inference = Inference(settings.threads)
        self._draining = Draining(settings.drain_seconds)
        # Otherwise BentoML makes a new wrapper with a new signature of the method for every request.
        vars(self).update(predict=self.predict, represent=self.represent)
        routes.publish(
            pages, model, settings, answers=self._answers, inference=self._inference, draining=self._draining
        )

    async def __is_ready__(self) -> bool:
        """What BentoML's /readyz asks, besides whether the service has started."""
        return not self._draining.has_begun

    @bentoml.on_startup
    async def listen_for_the_end(self) -> None:
        """Runs in the event loop of the server, which has installed its own handlers by now."""
        self._draining.listen()

    @bentoml.on_shutdown
    def close(self) -> None:
        """Lets the requests under way finish."""
        self._inference.close()

    @bentoml.api(route="/v1/predict")
    async def predict(self, request: PredictRequest, /) -> PredictResponse:
        """The sentiment of each text; with ``explain``, what every token adds to every label."""
        return await self._answer(self._answers.predict, request)

    @bentoml.api(route="/v1/represent")
    async def represent(self, request: RepresentRequest, /) -> RepresentResponse:
        """The contextual representation of every token of each text, from any layer."""
        return await self._answer(self._answers.represent, request)

    async def _answer(self, work: Callable[[RequestT], ResponseT], request: RequestT) -> ResponseT:
        """Works, mostly in a thread of ours, and returns the finished HTTP response.

        BentoML passes a Starlette response through as it is. So the JSON is written there too, while the
        event loop serves others, and an error keeps its code. The handlers name the schema, and this is the one lie.
        """
        try:
            characters = sum(map(len, request.texts))
            response = await self._inference.run(partial(_respond, work, request), characters=characters)
        except RequestError as error:
            response = error.response()
        except ClientGoneError:
            response = Response(status_code=CLIENT_GONE)
        return cast("ResponseT", response)


def _respond(work: Callable[[RequestT], ResponseT], request: RequestT) -> Response:
    try:
        return Response(work(request).model_dump_json(), media_type="application/json")
    except ValidationError as error:  # BentoML would take it for the client's mistake
        message = "the answer does not fit its own schema"
        raise RuntimeError(message) from error


logging.getLogger("bentoml._internal.server.http_app").addFilter(_is_no_client_error)
