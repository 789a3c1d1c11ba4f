"""Every path that is not BentoML's own: the pages, the model card, and the calls whose bodies it cannot pass on."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from model_store import SentimentModel
from service.bulk import Bulk
from service.executor import Inference
from service.open_inference import routes as protocol_routes
from service.open_inference.model import Protocol
from service.openapi import openapi
from service.predictor import Answers
from service.schemas import LimitsInForce, ModelCard
from service.server.shutdown import Draining
from service.settings import Settings

WEB = Path(__file__).with_name("web")

SECURITY_HEADERS = {
    # Nothing from elsewhere, nothing inline, no frame around the page: what it shows is what this service sent.
    "content-security-policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "object-src 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-cache",  # asks whether the file is still the same, so that an upgrade shows at once
}


def create_app() -> Starlette:
    """The application that BentoML mounts; ``publish`` tells it what is served."""
    return Starlette(
        routes=[
            Route("/", _file("index.html")),
            Route("/docs", _file("docs.html")),
            Route("/openapi.json", _openapi),
            Route("/docs.json", _openapi),  # where BentoML would publish a poorer one
            Route("/v1/model", _model_card),
            Route("/v1/bulk", _bulk, methods=["POST"]),
            *protocol_routes.routes(),
            Mount("/assets", StaticFiles(directory=WEB)),
        ],
        middleware=[Middleware(_SecurityHeaders)],
    )


def publish(
    app: Starlette,
    model: SentimentModel,
    settings: Settings,
    *,
    answers: Answers,
    inference: Inference,
    draining: Draining,
) -> None:
    """Makes a loaded model's card, the limits in force and the model's answers known to the routes."""
    app.state.draining = draining
    card = model_card(model, settings)
    app.state.protocol = Protocol(answers, inference, card, most_numbers=settings.max_request_numbers)
    app.state.bulk = Bulk(
        answers,
        inference.executor,
        longest_line=settings.max_body_bytes,
        stall_seconds=settings.deadline_seconds,
    )
    app.state.model_card = card.model_dump_json().encode()
    app.state.openapi = openapi(card)


def model_card(model: SentimentModel, settings: Settings) -> ModelCard:
    """What is served, from the bundle's manifest and the settings."""
    manifest = model.manifest
    return ModelCard(
        name=manifest.name,
        version=manifest.version,
        sha256=model.sha256,
        description=manifest.description,
        created=manifest.created,
        labels=manifest.labels,
        architecture=manifest.architecture,
        tokenizer=manifest.tokenizer,
        arithmetic=manifest.arithmetic,
        calibration=manifest.calibration,
        metrics=model.evaluation.metrics,
        risk_coverage=model.evaluation.risk_coverage,
        behaviour=model.evaluation.behavior,
        comparison=model.evaluation.comparison,
        known_failures=model.evaluation.known_failures,
        intended_use=model.evaluation.intended_use,
        not_intended_for=model.evaluation.not_intended_for,
        training=manifest.training,
        limits=LimitsInForce(
            max_tokens=manifest.limits.max_tokens,
            max_characters=settings.max_characters,
            max_texts=settings.max_texts,
            max_body_bytes=settings.max_body_bytes,
            max_request_tokens=settings.max_request_tokens,
            max_request_numbers=settings.max_request_numbers,
            deadline_seconds=settings.deadline_seconds,
        ),
    )


async def _model_card(request: Request) -> Response:
    return Response(request.app.state.model_card, media_type="application/json")


async def _bulk(request: Request) -> ASGIApp:
    bulk: Bulk = request.app.state.bulk
    return bulk


async def _openapi(request: Request) -> Response:
    return JSONResponse(request.app.state.openapi)


def _file(name: str) -> Callable[[Request], Awaitable[Response]]:
    async def serve(_: Request) -> Response:
        return FileResponse(WEB / name)

    return serve


class _SecurityHeaders:
    """Adds the security headers to whatever the routes answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(SECURITY_HEADERS)
            await send(message)

        await self._app(scope, receive, send_with_headers)
