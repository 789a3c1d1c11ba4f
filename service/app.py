"""The service: one model, two calls, and the pages. ``bentoml serve .`` starts it."""

# mypy: disable-error-code="untyped-decorator"
# BentoML marks its package as typed, but not the one its decorators live in.

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, cast

import bentoml
from pydantic import ValidationError
from starlette.responses import Response

from model_store import SentimentModel
from service import routes
from service.answers import Answers
from service.errors import RequestError
from service.middleware import Envelope
from service.schemas import EXAMPLE_TEXT, PredictRequest, PredictResponse, RepresentRequest, RepresentResponse
from service.settings import read_settings

TIMEOUT_SECONDS = 60
"""BentoML's own deadline, whose error has not our form: far above the longest request.

Not higher still, because BentoML keeps a timer and some 5 kB for every request until then, also when it was answered:
at 450 requests a second that is 135 MB.
"""

RequestT = TypeVar("RequestT", PredictRequest, RepresentRequest)
ResponseT = TypeVar("ResponseT", PredictResponse, RepresentResponse)

# On import, so that `bentoml serve` stops at an invalid one instead of starting over and over.
settings = read_settings()
pages = routes.create_app()


def _is_no_client_error(record: logging.LogRecord) -> bool:
    """BentoML logs a traceback for every request that does not fit its schema; the access log's line is enough."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, (ValidationError, RequestError))


@bentoml.service(name="sentiment", traffic={"timeout": TIMEOUT_SECONDS})
@bentoml.asgi_app(pages)
class SentimentService:
    """Sentiment with reasons: labels and scores, what every token adds, and its representation in context."""

    def __init__(self) -> None:
        model = SentimentModel.load(settings.model)  # verifies every file's hash
        model.represent([EXAMPLE_TEXT])  # the first run is the slowest, and none of a client's business
        self._answers = Answers(model, settings)
        # ONNX Runtime and the tokenizer work without the interpreter's lock, so threads share the processors.
        self._executor = ThreadPoolExecutor(settings.threads, thread_name_prefix="inference")
        routes.publish(pages, model, settings)

    @bentoml.on_shutdown
    def close(self) -> None:
        """Lets the requests under way finish."""
        self._executor.shutdown()

    @bentoml.api(route="/v1/predict")
    async def predict(self, request: PredictRequest, /) -> PredictResponse:
        """The sentiment of each text; with ``explain``, what every token adds to every label."""
        return await self._answer(self._answers.predict, request)

    @bentoml.api(route="/v1/represent")
    async def represent(self, request: RepresentRequest, /) -> RepresentResponse:
        """The contextual representation of every token of each text, from any layer."""
        return await self._answer(self._answers.represent, request)

    async def _answer(self, work: Callable[[RequestT], ResponseT], request: RequestT) -> ResponseT:
        """Works in a thread of ours and returns the finished HTTP response.

        BentoML passes a Starlette response through as it is. So the JSON is written in that thread too, while the
        event loop serves others, and an error keeps its code. The handlers name the schema, and this is the one lie.
        """

        def respond() -> Response:
            try:
                return Response(work(request).model_dump_json(), media_type="application/json")
            except RequestError as error:
                return error.response()
            except ValidationError as error:  # BentoML would take it for the client's mistake
                message = "the answer does not fit its own schema"
                raise RuntimeError(message) from error

        loop = asyncio.get_running_loop()
        return cast("ResponseT", await loop.run_in_executor(self._executor, respond))


SentimentService.add_asgi_middleware(Envelope, max_body_bytes=settings.max_body_bytes)  # type: ignore[attr-defined]  # a bentoml.Service by now
logging.getLogger("bentoml._internal.server.http_app").addFilter(_is_no_client_error)
