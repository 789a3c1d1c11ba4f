"""The OpenAPI document, made from the wire format.

BentoML makes one too, but it flattens every schema, knows nothing of the GET routes and lists errors that are never
sent. This one is what the service does.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from service.errors import ERRORS
from service.schemas import (
    EXAMPLE_TEXT,
    ErrorCode,
    ErrorResponse,
    ModelCard,
    PredictRequest,
    PredictResponse,
    RepresentRequest,
    RepresentResponse,
)

REFERENCE = "#/components/schemas/{model}"


class Call(NamedTuple):
    """One thing a client can do with JSON."""

    path: str
    name: str
    summary: str
    description: str
    request: type[BaseModel] | None
    response: type[BaseModel]
    examples: dict[str, Any]
    errors: tuple[ErrorCode, ...]


BODY_ERRORS: tuple[ErrorCode, ...] = (
    "invalid_json",
    "body_too_large",
    "unsupported_media_type",
    "invalid_request",
    "too_many_texts",
)

CALLS = (
    Call(
        path="/v1/predict",
        name="predict",
        summary="Sentiment",
        description="The sentiment of each text: label, calibrated scores and polarity. With `explain`, what every "
        "token adds to every label, exactly. A text that cannot be answered is listed in `errors`; the others are "
        "answered.",
        request=PredictRequest,
        response=PredictResponse,
        examples={
            "Sentiment": {"texts": [EXAMPLE_TEXT, "The soup was cold."]},
            "With reasons": {"texts": [EXAMPLE_TEXT], "explain": True},
        },
        errors=(*BODY_ERRORS, "internal_error"),
    ),
    Call(
        path="/v1/represent",
        name="represent",
        summary="Contextual representations",
        description="What every token of each text means in its context, from any layer of the encoder: as numbers, or "
        "as base64, which is a fifth of the size. In Python: "
        "`numpy.frombuffer(base64.b64decode(data), '<f4').reshape(shape)`.",
        request=RepresentRequest,
        response=RepresentResponse,
        examples={
            "Top layer, both directions": {"texts": [EXAMPLE_TEXT]},
            "Every bit, compactly": {"texts": [EXAMPLE_TEXT], "layers": [1, -1], "encoding": "base64"},
        },
        errors=(*BODY_ERRORS, "unknown_layer", "unknown_direction", "internal_error"),
    ),
    Call(
        path="/v1/model",
        name="model",
        summary="Model card",
        description="What is served: the model, where it comes from, how good it is, and the limits in force.",
        request=None,
        response=ModelCard,
        examples={},
        errors=("internal_error",),
    ),
)

PROBES = {
    "/livez": ("Liveness", "200 as long as the process runs.", "text/plain"),
    "/readyz": ("Readiness", "200 once the model is loaded, verified and has answered once.", "text/plain"),
    "/metrics": ("Metrics", "Counters and durations in Prometheus' text format.", "text/plain"),
}


def openapi(card: ModelCard) -> dict[str, Any]:
    """The whole document, with the limits in force where JSON Schema has a word for them."""
    paths = {call.path: _operation(call) for call in CALLS} | {path: _probe(*words) for path, words in PROBES.items()}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Sentiment",
            "version": "1",
            "summary": "Sentiment with reasons, and every token's representation in context.",
            "description": f"Serves {card.name} {card.version}. Every error has the same form, `ErrorResponse`, and "
            "every response carries an `X-Request-ID`: yours if the request had one.",
        },
        "servers": [{"url": "."}],
        "paths": paths,
        "components": {"schemas": _schemas(card)},
    }


def _schemas(card: ModelCard) -> dict[str, Any]:
    models: list[tuple[type[BaseModel], JsonSchemaMode]] = [(ErrorResponse, "serialization")]
    for call in CALLS:
        models.append((call.response, "serialization"))
        if call.request:
            models.append((call.request, "validation"))
    _, document = models_json_schema(models, ref_template=REFERENCE)
    schemas: dict[str, Any] = document["$defs"]
    for call in CALLS:
        if call.request:
            schemas[call.request.__name__]["properties"]["texts"]["maxItems"] = card.limits.max_texts
    return schemas


def _operation(call: Call) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": call.name,
        "summary": call.summary,
        "description": call.description,
        "responses": {
            "200": {"description": "The answer.", "content": _content(call.response)},
            **_error_responses(call.errors),
        },
    }
    if call.request is None:
        return {"get": operation}
    examples = {name: {"value": value} for name, value in call.examples.items()}
    content = _content(call.request)
    content["application/json"]["examples"] = examples
    operation["requestBody"] = {"required": True, "content": content}
    return {"post": operation}


def _error_responses(codes: Iterable[ErrorCode]) -> dict[str, Any]:
    by_status: dict[int, list[ErrorCode]] = {}
    for code in codes:
        by_status.setdefault(ERRORS[code].status, []).append(code)
    return {
        str(status): {
            "description": "\n".join(f"`{code}`: {ERRORS[code].message}" for code in by_status[status]),
            "content": _content(ErrorResponse),
        }
        for status in sorted(by_status)
    }


def _probe(summary: str, description: str, media_type: str) -> dict[str, Any]:
    response = {"description": description, "content": {media_type: {"schema": {"type": "string"}}}}
    return {"get": {"operationId": summary.lower(), "summary": summary, "responses": {"200": response}}}


def _content(model: type[BaseModel]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": REFERENCE.format(model=model.__name__)}}}
