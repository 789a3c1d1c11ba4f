"""The endpoints of the Open Inference Protocol."""

from typing import Any

from pydantic import BaseModel
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response

from service import answers
from service.endpoints import Body, Endpoint, Operation
from service.errors import RequestError
from service.open_inference.model import OpenInferenceModel
from service.open_inference.schemas import (
    InferRequest,
    InferResponse,
    ModelMetadata,
    ModelReady,
    ServerLive,
    ServerMetadata,
    ServerReady,
)
from service.schemas import EXAMPLE_TEXT, ErrorCode, ProtocolError

MODEL = "/v2/models/{name}"
VERSION = f"{MODEL}/versions/{{version}}"

JSON_LENGTH = "inference-header-content-length"
"""Bytes of the JSON object where others follow, see ``service.open_inference.binary_tensors``."""

EXAMPLES: dict[str, Any] = {
    "Label and probabilities": {
        "inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": [EXAMPLE_TEXT]}]
    },
    "Representations": {
        "id": "42",
        "inputs": [{"name": "text", "shape": [2], "datatype": "BYTES", "data": ["Fine.", "Not bad."]}],
        "outputs": [{"name": "token_count"}, {"name": "representations"}],
    },
}


async def server(_: Request) -> Response:
    """Open Inference Protocol: server.

    Name and extensions of the server, as KServe's and Triton's clients ask for them.
    """
    return json_answer(
        ServerMetadata(name="sentiment", version="1", extensions=["binary_tensor_data", "model_repository"])
    )


async def live(_: Request) -> Response:
    """Open Inference Protocol: liveness.

    200 as long as the process runs.
    """
    return json_answer(ServerLive(live=True))


async def ready(request: Request) -> Response:
    """Open Inference Protocol: readiness.

    200 once the model is loaded, verified and has answered once; 503 when the service stops.
    """
    request.app.state.served.shutdown.check_ready()
    return json_answer(ServerReady(ready=True))


async def model(request: Request) -> Response:
    """Open Inference Protocol: model.

    The input and output tensors.
    """
    return json_answer(_model(request).metadata())


async def model_ready(request: Request) -> Response:
    """Open Inference Protocol: model readiness.

    Whether the model is ready.
    """
    _model(request)
    return json_answer(ModelReady(name=request.path_params["name"], ready=True))


async def infer(request: Request) -> Response:
    """Open Inference Protocol: inference.

    The input is a tensor of BYTES with the texts. The outputs are label and probabilities, or those named, such as
    `"outputs": [{"name": "token_count"}, {"name": "representations"}]` for the top layer, padded with zeros after each
    text's last token; `confident` exists if the model has a threshold. A tensor cannot express that a text has no
    answer: one such text, also one with too many tokens, fails the request, and the error names it. The extension for
    binary tensors works both ways: with the header `Inference-Header-Content-Length` the texts may follow the JSON
    object as bytes, and with the parameter `binary_data` a tensor comes back as bytes. The classification extension is
    not supported. Unknown members and parameters are ignored.
    """
    served = _model(request)
    json_length = _json_length(request.headers)
    body = await request.body()

    def answer() -> Response:
        inference = served.infer(body, json_length)
        lengths = inference.lengths()
        if lengths is None:
            return answers.response(inference.pieces())
        headers = {JSON_LENGTH: str(lengths[0]), "content-length": str(lengths[1])}
        return answers.response(inference.pieces(), media_type="application/octet-stream", headers=headers)

    response: Response = await request.app.state.served.executor.run(answer, size=len(body))
    return response


def operation(identifier: str, response: type[BaseModel], *errors: ErrorCode, **options: Any) -> Operation:  # noqa: ANN401
    """What the OpenAPI document says of a call of the protocol."""
    return Operation(id=f"protocol_{identifier}", response=response, errors=errors, error=ProtocolError, **options)


ENDPOINTS = (
    Endpoint(method="GET", path="/v2", handler=server, operation=operation("server", ServerMetadata)),
    Endpoint(
        method="GET",
        path="/v2/health/live",
        handler=live,
        needs_key=False,
        logged=False,
        operation=operation("live", ServerLive),
    ),
    Endpoint(
        method="GET",
        path="/v2/health/ready",
        handler=ready,
        needs_key=False,
        logged=False,
        operation=operation("ready", ServerReady, "not_ready"),
    ),
    *(
        endpoint
        for path, suffix in ((MODEL, ""), (VERSION, "_version"))
        for endpoint in (
            Endpoint(
                method="GET",
                path=path,
                handler=model,
                metric=MODEL,
                operation=operation(f"model{suffix}", ModelMetadata, "unknown_model"),
            ),
            Endpoint(
                method="GET",
                path=f"{path}/ready",
                handler=model_ready,
                metric=MODEL,
                operation=operation(f"model_ready{suffix}", ModelReady, "unknown_model"),
            ),
            Endpoint(
                method="POST",
                path=f"{path}/infer",
                handler=infer,
                body=Body.WHOLE,
                # The second is the protocol's binary form: JSON followed by tensors.
                media_types=("application/json", "application/octet-stream"),
                metric=f"{MODEL}/infer",
                operation=operation(
                    f"infer{suffix}",
                    InferResponse,
                    "bad_request",
                    "unknown_model",
                    request=InferRequest,
                    examples=EXAMPLES,
                ),
            ),
        )
    ),
)


def _json_length(headers: Headers) -> int | None:
    length = headers.get(JSON_LENGTH)
    if length is None:
        return None
    if not (length.isascii() and length.isdigit()):
        raise RequestError("bad_request", f"{JSON_LENGTH} should be a number of bytes.")
    return int(length[:18])  # no body is longer, and Python refuses to read thousands of digits


def _model(request: Request) -> OpenInferenceModel:
    """The model that the path names; raises ``RequestError`` if there is none."""
    name, version = request.path_params["name"], request.path_params.get("version")
    served: OpenInferenceModel = request.app.state.served.models.get(
        name if version is None else f"{name}:{version}"
    ).open_inference
    return served


def json_answer(answer: BaseModel) -> Response:
    """An object of the protocol as a response, without what it lacks."""
    return Response(answer.model_dump_json(exclude_none=True), media_type="application/json")
