"""The endpoints of the service in one table, and the application made from it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from opentelemetry.trace import Tracer
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from service.adapters.table import adapter_endpoints
from service.answers import Answer, response
from service.bulk import BulkHandler
from service.endpoints import Body, Endpoint, EndpointTable, Operation
from service.errors import ClientGoneError, RequestError
from service.executor import InferenceExecutor
from service.feedback import routes as feedback_routes
from service.feedback.routes import FeedbackDesk
from service.middleware.error_envelope import CLIENT_GONE
from service.middleware.stack import build_middleware
from service.models import routes as model_routes
from service.models.exchange import ModelExchange
from service.models.served import ServedModels
from service.monitoring import metrics
from service.open_inference import routes as open_inference
from service.openapi import bentoml_schema
from service.request_body import parse_body, parse_query
from service.schemas import (
    EXAMPLE_TEXT,
    BulkLine,
    ModelCard,
    ModelQuery,
    MultiLabelResult,
    PredictOptions,
    PredictRequest,
    PredictResponse,
    PredictResult,
    RepresentRequest,
    RepresentResponse,
    UnansweredLine,
)
from service.server.interpreter import shorten_pauses
from service.server.shutdown import GracefulShutdown
from service.settings import Settings

RequestT = TypeVar("RequestT", bound=BaseModel)

WEB = Path(__file__).with_name("web")
ASSETS = StaticFiles(directory=WEB)


async def predict(request: Request) -> Response:
    """Sentiment.

    The sentiment of each text: label, calibrated scores and polarity. With `explain`, what every token adds to every
    label, exactly. With `sentences`, the same for each sentence on its own. A text that cannot be answered is listed in
    `errors`; the others are answered.
    """
    models = _served(request).models
    return await _answer(request, PredictRequest, lambda asked: models.get(asked.model).predictor.predict(asked))


async def represent(request: Request) -> Response:
    """Contextual representations.

    The contextual representation of every token of each text, from any layer of the encoder: as numbers, or as base64,
    which is a quarter of the size. In Python: `numpy.frombuffer(base64.b64decode(data), '<f4').reshape(shape)`.
    """
    models = _served(request).models
    return await _answer(request, RepresentRequest, lambda asked: models.get(asked.model).predictor.represent(asked))


async def bulk(request: Request) -> ASGIApp:
    """Sentiment of a stream.

    Any number of texts, one JSON object a line, answered while they arrive, in the same order; `index` counts the lines
    from 0. A line that cannot be answered gets an error with a `code`; the stream continues. Blank lines are skipped.
    The body has no limit; a line may be as long as the body of another call. Read the answers while you write, as
    `curl -N -X POST -T texts.ndjson` does: the service stops computing while its answers are not read, and closes the
    connection after a while. A stream that brings no line for a while ends with a line whose `code` is `stream_idle`.
    An answer without a proper end is incomplete.
    """
    return _served(request).bulk


async def model(request: Request) -> Response:
    """Model card.

    A served model: its identity, labels, architecture, calibration and training, and the limits in force. With
    `evaluation=true` also how good it is.
    """
    query = parse_query(ModelQuery, request.scope["query_string"])
    asked = _served(request).models.get(query.model)
    return Response(asked.card_json if query.evaluation else asked.summary_json, media_type="application/json")


async def openapi_document(request: Request) -> Response:
    """The OpenAPI document."""
    return JSONResponse(_served(request).models.openapi())


async def bentoml_document(_: Request) -> Response:
    """The calls as BentoML's client reads them."""
    return JSONResponse(bentoml_schema(ENDPOINTS))


async def index_page(_: Request) -> Response:
    """The page."""
    return FileResponse(WEB / "index.html")


async def docs_page(_: Request) -> Response:
    """The page of the API."""
    return FileResponse(WEB / "docs.html")


async def asset(request: Request) -> Response:
    """A file of the pages."""
    return await ASSETS.get_response(request.path_params["path"], request.scope)


async def livez(_: Request) -> Response:
    """Liveness.

    200 as long as the process runs.
    """
    return PlainTextResponse("\n")


async def readyz(request: Request) -> Response:
    """Readiness.

    200 once the model is loaded, verified and has answered once.
    """
    _served(request).shutdown.check_ready()
    return PlainTextResponse("\n")


async def metrics_text(_: Request) -> Response:
    """Metrics.

    Counters and durations in Prometheus' text format.
    """
    return Response(await asyncio.to_thread(metrics.render), media_type=metrics.CONTENT_TYPE)


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        method="POST",
        path="/v1/predict",
        handler=predict,
        body=Body.WHOLE,
        operation=Operation(
            id="predict",
            request=PredictRequest,
            response=PredictResponse,
            errors=("invalid_request", "unknown_model"),
            examples={
                "Sentiment": {"texts": [EXAMPLE_TEXT, "The soup was cold."]},
                "With reasons": {"texts": [EXAMPLE_TEXT], "explain": True},
                "Sentence by sentence": {"texts": ["The soup was cold. The waiter was kind!"], "sentences": True},
            },
        ),
    ),
    Endpoint(
        method="POST",
        path="/v1/represent",
        handler=represent,
        body=Body.WHOLE,
        operation=Operation(
            id="represent",
            request=RepresentRequest,
            response=RepresentResponse,
            errors=("invalid_request", "unknown_model", "unknown_layer", "unknown_direction"),
            examples={
                "Top layer, both directions": {"texts": [EXAMPLE_TEXT]},
                "Every bit, compactly": {"texts": [EXAMPLE_TEXT], "layers": [1, -1], "encoding": "base64"},
            },
        ),
    ),
    Endpoint(
        method="GET",
        path="/v1/model",
        handler=model,
        operation=Operation(
            id="model", response=ModelCard, query=ModelQuery, errors=("invalid_request", "unknown_model")
        ),
    ),
    Endpoint(
        method="POST",
        path="/v1/bulk",
        handler=bulk,
        body=Body.STREAM,
        operation=Operation(
            id="bulk",
            request=BulkLine,
            lines=(PredictResult, MultiLabelResult, UnansweredLine),
            query=PredictOptions,
            errors=("unknown_model",),
            examples={"Two texts": f'{{"text": "{EXAMPLE_TEXT}"}}\n{{"text": "The soup was cold."}}\n'},
        ),
    ),
    *model_routes.ENDPOINTS,
    *open_inference.ENDPOINTS,
    *(
        Endpoint(
            method="GET",
            path=path,
            handler=handler,
            needs_key=path == "/metrics",
            logged=False,
            operation=Operation(id=identifier) if identifier else None,
        )
        for path, handler, identifier in (
            ("/livez", livez, "liveness"),
            ("/healthz", livez, None),  # BentoML's older name of /livez
            ("/readyz", readyz, "readiness"),
            ("/metrics", metrics_text, "metrics"),
        )
    ),
    Endpoint(method="GET", path="/", handler=index_page, needs_key=False, is_page=True),
    Endpoint(method="GET", path="/docs", handler=docs_page, needs_key=False, is_page=True),
    Endpoint(method="GET", path="/assets/{path:path}", handler=asset, needs_key=False, is_page=True, metric="/assets"),
    Endpoint(method="GET", path="/openapi.json", handler=openapi_document),
    Endpoint(method="GET", path="/docs.json", handler=openapi_document),  # the path of BentoML's own document
    Endpoint(method="GET", path="/schema.json", handler=bentoml_document),
)
TABLE = EndpointTable(ENDPOINTS)


def endpoints_of(settings: Settings) -> tuple[Endpoint, ...]:
    """All endpoints that these settings switch on: exchange of models if there are keys, feedback, adapters."""
    exchange = model_routes.EXCHANGE if settings.needs_keys else ()
    feedback = feedback_routes.ENDPOINTS if settings.feedback else ()
    return (*ENDPOINTS, *exchange, *feedback, *adapter_endpoints(settings.adapters))


@dataclass(frozen=True)
class Served:
    """The objects that the handlers use, made once the models are loaded."""

    models: ServedModels
    exchange: ModelExchange | None
    executor: InferenceExecutor
    bulk: BulkHandler
    shutdown: GracefulShutdown
    feedback: FeedbackDesk | None


def serve(models: ServedModels, settings: Settings, *, exchange: ModelExchange | None = None) -> Served:
    """Make the objects that the handlers use from loaded models."""
    executor = InferenceExecutor(
        settings.threads,
        max_jobs=settings.max_in_flight + settings.max_streams,
        max_request_tokens=settings.max_request_tokens,
    )
    shorten_pauses()
    return Served(
        models=models,
        exchange=exchange,
        executor=executor,
        bulk=BulkHandler(
            lambda name: models.get(name).predictor,
            executor,
            max_line_bytes=settings.max_body_bytes,
            stall_seconds=settings.deadline_seconds,
            idle_seconds=settings.stream_idle_seconds,
        ),
        shutdown=GracefulShutdown(settings.drain_seconds),
        feedback=FeedbackDesk.of(settings),
    )


def create_app(settings: Settings, *, tracer: Tracer | None = None) -> Starlette:
    """The application with its layers; ``app.state.served`` has to be set before the first request."""
    endpoints = endpoints_of(settings)
    app = Starlette(
        routes=[Route(endpoint.path, endpoint.handler, methods=[endpoint.method]) for endpoint in endpoints],
        middleware=build_middleware(settings, EndpointTable(endpoints), tracer=tracer),
        exception_handlers={
            RequestError: _request_error,
            ClientGoneError: _client_gone,
            HTTPException: _http_exception,
        },
    )
    app.router.redirect_slashes = False  # the address it redirects to has whatever Host the client sent
    return app


async def _answer(request: Request, schema: type[RequestT], compute: Callable[[RequestT], Answer[Any]]) -> Response:
    """Parses, computes and writes the JSON, mostly in a thread, while the event loop serves others."""
    body = await request.body()

    def respond() -> Response:
        return response(compute(parse_body(schema, body)).pieces())

    return await _served(request).executor.run(respond, size=len(body))


def _served(request: Request) -> Served:
    served: Served = request.app.state.served
    return served


async def _request_error(_: Request, error: Exception) -> Response:
    return cast("RequestError", error).response()


async def _client_gone(_: Request, __: Exception) -> Response:
    return Response(status_code=CLIENT_GONE)


async def _http_exception(_: Request, error: Exception) -> Response:
    """Starlette's own errors: an unknown file, a wrong method."""
    exception = cast("HTTPException", error)
    return Response(status_code=exception.status_code, headers=exception.headers)
