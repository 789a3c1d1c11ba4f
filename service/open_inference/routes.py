"""The Open Inference Protocol's paths."""

from collections.abc import Awaitable, Callable

from pydantic import BaseModel
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from service.errors import RequestError
from service.open_inference.model import Protocol
from service.open_inference.schemas import InferResponse, ModelReady, ServerLive, ServerMetadata, ServerReady

PREFIX = "/v2"
MODEL = f"{PREFIX}/models/{{name}}"
VERSION = f"{MODEL}/versions/{{version}}"

JSON_LENGTH = "inference-header-content-length"
"""Where the JSON object ends and bytes follow, see ``service.open_inference.binary_tensors``."""

Handler = Callable[[Request], Awaitable[Response]]


def routes() -> list[Route]:
    """Every path, each with and without the model's version."""
    alone = [
        Route(PREFIX, _saying(ServerMetadata(name="sentiment", version="1", extensions=["binary_tensor_data"]))),
        Route(f"{PREFIX}/health/live", _saying(ServerLive(live=True))),
        Route(f"{PREFIX}/health/ready", _ready),
    ]
    of_a_model = [
        route
        for model in (MODEL, VERSION)
        for route in (
            Route(model, _about(lambda protocol, _: protocol.metadata())),
            Route(f"{model}/ready", _about(lambda _, name: ModelReady(name=name, ready=True))),
            Route(f"{model}/infer", _infer, methods=["POST"]),
        )
    ]
    return alone + of_a_model


def _saying(answer: BaseModel) -> Handler:
    async def handle(_: Request) -> Response:
        return _json(answer)

    return handle


async def _ready(request: Request) -> Response:
    if request.app.state.draining.has_begun:
        return RequestError("not_ready").response()
    return _json(ServerReady(ready=True))


def _about(answer: Callable[[Protocol, str], BaseModel]) -> Handler:
    async def handle(request: Request) -> Response:
        try:
            protocol = _protocol(request)
        except RequestError as error:
            return error.response()
        return _json(answer(protocol, request.path_params["name"]))

    return handle


async def _infer(request: Request) -> Response:
    try:
        protocol = _protocol(request)
        json_length = _json_length(request.headers)
        body = await request.body()
        return await protocol.inference.run(lambda: _inferred(*protocol.infer(body, json_length)))
    except RequestError as error:
        return error.response()


def _json_length(headers: Headers) -> int | None:
    given = headers.get(JSON_LENGTH)
    if given is None:
        return None
    if not (given.isascii() and given.isdigit()):
        raise RequestError("bad_request", f"{JSON_LENGTH} should be a number of bytes.")
    return int(given[:18])  # no body is longer, and Python refuses thousands of digits


def _inferred(response: InferResponse, behind: bytes) -> Response:
    if not behind:
        return _json(response)
    body = response.model_dump_json(exclude_none=True).encode()
    return Response(body + behind, media_type="application/octet-stream", headers={JSON_LENGTH: str(len(body))})


def _protocol(request: Request) -> Protocol:
    """The protocol's view of the model; raises ``RequestError`` where the path names another one."""
    protocol: Protocol = request.app.state.protocol
    protocol.check_name(request.path_params["name"], request.path_params.get("version"))
    return protocol


def _json(answer: BaseModel) -> Response:
    return Response(answer.model_dump_json(exclude_none=True), media_type="application/json")
