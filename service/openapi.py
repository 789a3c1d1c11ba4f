"""Descriptions of the service, made from the table of endpoints, the handlers' docstrings and the schemas.

For people and generated clients the OpenAPI document, for BentoML's client the form that it reads.
"""

import inspect
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from service.bulk import NDJSON
from service.endpoints import Body, Endpoint, Operation
from service.errors import ERRORS, RequestError
from service.open_inference.schemas import InferRequest
from service.request_body import POSITIONAL
from service.schemas import ErrorCode, ModelCard, PredictRequest, RepresentRequest

REFERENCE = "#/components/schemas/{model}"
JSON = "application/json"
BINARY = "application/octet-stream"

BODY_ERRORS: dict[Body, tuple[ErrorCode, ...]] = {
    Body.NONE: (),
    Body.WHOLE: (
        "invalid_json",
        "body_too_slow",
        "body_too_large",
        "unsupported_media_type",
        "too_many_texts",
        "too_much_work",
        "overloaded",
        "quota_exceeded",
        "deadline_exceeded",
    ),
    Body.STREAM: ("unsupported_media_type", "invalid_request", "overloaded", "quota_exceeded"),
}
"""Errors that any endpoint with such a body may answer with."""


def openapi(cards: Sequence[ModelCard], endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """The whole document, with the limits in force where JSON Schema can express them.

    Args:
        cards: of the models that are served; the first one answers calls that name none.
        endpoints: what can be called.
    """
    card = cards[0]
    served = ", ".join(f"{each.name} {each.version}" for each in cards)
    documented = [(endpoint, endpoint.operation) for endpoint in endpoints if endpoint.operation]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Sentiment",
            "version": "1",
            "summary": "Sentiment with reasons, and every token's representation in context.",
            "description": f"Serves {served}. Every error has the same form, `ErrorResponse`, except "
            "under `/v2`, where it is the protocol's `ProtocolError`. Every response carries an `X-Request-ID`: yours "
            "if the request had one. An API key is needed only if the operator has set some.",
        },
        "servers": [{"url": "."}],
        "security": [{}, {"bearer": []}, {"key": []}],
        "paths": {
            endpoint.path: {endpoint.method.lower(): _operation(endpoint, operation, cards)}
            for endpoint, operation in documented
        },
        "components": {
            "schemas": _schemas([operation for _, operation in documented], card),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    }


def bentoml_schema(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """The document that BentoML's client reads at ``/schema.json``.

    It sends keyword arguments as members of the body, and a positional argument as the first member described here:
    ``client.predict(texts=[...])`` and ``client.predict({"texts": [...]})`` both work, as ``parse_body`` unwraps the
    second.
    """
    return {
        "name": "sentiment",
        "type": "service",
        "routes": [
            {
                "name": endpoint.operation.id,
                "route": endpoint.path,
                "doc": endpoint.handler.__doc__,
                "input": {
                    "type": "object",
                    "properties": {POSITIONAL: {}, **endpoint.operation.request.model_json_schema()["properties"]},
                },
                "output": {"type": "object"},
            }
            for endpoint in endpoints
            if endpoint.body is Body.WHOLE
            and endpoint.path.startswith("/v1/")
            and endpoint.operation is not None
            and endpoint.operation.request is not None
        ],
    }


def _schemas(operations: Iterable[Operation], card: ModelCard) -> dict[str, Any]:
    models: dict[type[BaseModel], JsonSchemaMode] = {}
    for operation in operations:
        for answer in (operation.error, operation.response, *operation.lines):
            if answer:
                models[answer] = "serialization"
        if operation.request:
            models[operation.request] = "validation"
    _, document = models_json_schema(list(models.items()), ref_template=REFERENCE)
    schemas: dict[str, Any] = document["$defs"]
    for request in (PredictRequest, RepresentRequest):
        schemas[request.__name__]["properties"]["texts"]["maxItems"] = card.limits.max_texts
    depth = card.architecture.layers
    layers = [layer for layer in range(-depth, depth + 1) if layer]
    schemas[RepresentRequest.__name__]["properties"]["layers"]["items"]["enum"] = layers
    return schemas


def _operation(endpoint: Endpoint, operation: Operation, cards: Sequence[ModelCard]) -> dict[str, Any]:
    summary, _, description = inspect.cleandoc(endpoint.handler.__doc__ or "").partition("\n")
    described: dict[str, Any] = {"operationId": operation.id, "summary": summary.removesuffix(".")}
    text = " ".join(description.split())
    if operation.response is None and not operation.lines:  # a probe
        content = {"text/plain": {"schema": {"type": "string"}}}
        return {**described, "responses": {"200": {"description": text, "content": content}}}
    described["description"] = text
    parameters = [*_path_parameters(endpoint, cards), *_query_parameters(operation, cards)]
    if parameters:
        described["parameters"] = parameters
    if operation.request:
        described["requestBody"] = {"required": True, "content": _request_content(operation, operation.request)}
    answer = _lines(operation) if operation.response is None else _answer(operation, operation.response)
    described["responses"] = {"200": answer, **_error_responses(endpoint, operation)}
    return described


def _path_parameters(endpoint: Endpoint, cards: Sequence[ModelCard]) -> list[dict[str, Any]]:
    """The parts of a path that vary, each with its values: the names and versions of the served models."""
    values = {
        "name": [card.name for card in cards],
        "version": list(dict.fromkeys(card.version for card in cards)),
    }
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "enum": some}}
        for name, some in values.items()
        if f"{{{name}}}" in endpoint.path
    ]


def _query_parameters(operation: Operation, cards: Sequence[ModelCard]) -> list[dict[str, Any]]:
    if operation.query is None:
        return []
    names = [card.name for card in cards]
    models = {"type": "string", "default": names[0], "examples": names}  # or one of them with its version
    return [
        {
            "name": name,
            "in": "query",
            "description": schema.pop("description"),
            "schema": models if name == "model" else schema,
        }
        for name, schema in operation.query.model_json_schema()["properties"].items()
    ]


def _request_content(operation: Operation, request: type[BaseModel]) -> dict[str, Any]:
    examples = {name: {"value": value} for name, value in (operation.examples or {}).items()}
    if operation.lines:
        return {NDJSON: {"schema": _line(), "x-line": _reference(request), "examples": examples}}
    return {JSON: {"schema": _reference(request), "examples": examples}}


def _answer(operation: Operation, response: type[BaseModel]) -> dict[str, Any]:
    content: dict[str, Any] = {JSON: {"schema": _reference(response)}}
    if operation.request is InferRequest:
        content[BINARY] = {"schema": {"type": "string", "contentMediaType": BINARY}}
    return {"description": "The answer.", "content": content}


def _lines(operation: Operation) -> dict[str, Any]:
    """A stream that comes back; OpenAPI has no schema of it, so ``x-line`` has that of a line."""
    lines = {"anyOf": [_reference(model) for model in operation.lines]}
    return {
        "description": "A line for every line of the request.",
        "content": {NDJSON: {"schema": _line(), "x-line": lines}},
    }


def _error_responses(endpoint: Endpoint, operation: Operation) -> dict[str, Any]:
    codes: list[ErrorCode] = ["unauthorized"] if endpoint.needs_key else []
    codes += ["internal_error", *BODY_ERRORS[endpoint.body], *operation.errors]
    by_status: dict[int, list[ErrorCode]] = {}
    for code in codes:
        status, _ = endpoint.error_form(RequestError(code), ERRORS[code].status, "")
        by_status.setdefault(status, []).append(code)
    return {
        str(status): {
            "description": "\n".join(f"`{code}`: {ERRORS[code].message}" for code in by_status[status]),
            "content": {JSON: {"schema": _reference(operation.error)}},
        }
        for status in sorted(by_status)
    }


def _line() -> dict[str, Any]:
    return {"type": "string", "contentMediaType": NDJSON}


def _reference(model: type[BaseModel]) -> dict[str, Any]:
    return {"$ref": REFERENCE.format(model=model.__name__)}
