"""The OpenAPI document, made from the wire format.

BentoML makes one too, but it flattens every schema, knows nothing of the GET routes and lists errors that are never
sent. This one is what the service does.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from service.bulk import NDJSON
from service.errors import ERRORS
from service.open_inference.schemas import (
    InferRequest,
    InferResponse,
    ModelMetadata,
    ModelReady,
    ServerLive,
    ServerMetadata,
    ServerReady,
)
from service.schemas import (
    EXAMPLE_TEXT,
    BulkLine,
    BulkOptions,
    ErrorCode,
    ErrorResponse,
    ModelCard,
    PredictRequest,
    PredictResponse,
    PredictResult,
    ProtocolError,
    RepresentRequest,
    RepresentResponse,
    UnansweredLine,
)

REFERENCE = "#/components/schemas/{model}"
JSON = "application/json"

EVERY_CALL: tuple[ErrorCode, ...] = ("unauthorized", "internal_error")
COMPUTING: tuple[ErrorCode, ...] = (
    *EVERY_CALL,
    "invalid_json",
    "body_too_slow",
    "body_too_large",
    "unsupported_media_type",
    "too_many_texts",
    "too_much_work",
    "overloaded",
    "deadline_exceeded",
)


class Call(NamedTuple):
    """One thing a client can do; with a request it is a POST, else a GET."""

    path: str
    name: str
    summary: str
    description: str
    response: type[BaseModel]
    request: type[BaseModel] | None = None
    examples: Mapping[str, Any] = {}
    errors: tuple[ErrorCode, ...] = EVERY_CALL
    error: type[BaseModel] = ErrorResponse


CALLS = (
    Call(
        path="/v1/predict",
        name="predict",
        summary="Sentiment",
        description="The sentiment of each text: label, calibrated scores and polarity. With `explain`, what every "
        "token adds to every label, exactly. With `sentences`, the same for each sentence on its own. A text that "
        "cannot be answered is listed in `errors`; the others are answered.",
        request=PredictRequest,
        response=PredictResponse,
        examples={
            "Sentiment": {"texts": [EXAMPLE_TEXT, "The soup was cold."]},
            "With reasons": {"texts": [EXAMPLE_TEXT], "explain": True},
            "Sentence by sentence": {"texts": ["The soup was cold. The waiter was kind!"], "sentences": True},
        },
        errors=(*COMPUTING, "invalid_request"),
    ),
    Call(
        path="/v1/represent",
        name="represent",
        summary="Contextual representations",
        description="What every token of each text means in its context, from any layer of the encoder: as numbers, or "
        "as base64, which is a quarter of the size. In Python: "
        "`numpy.frombuffer(base64.b64decode(data), '<f4').reshape(shape)`.",
        request=RepresentRequest,
        response=RepresentResponse,
        examples={
            "Top layer, both directions": {"texts": [EXAMPLE_TEXT]},
            "Every bit, compactly": {"texts": [EXAMPLE_TEXT], "layers": [1, -1], "encoding": "base64"},
        },
        errors=(*COMPUTING, "invalid_request", "unknown_layer", "unknown_direction"),
    ),
    Call(
        path="/v1/model",
        name="model",
        summary="Model card",
        description="What is served: the model, where it comes from, how good it is, and the limits in force.",
        response=ModelCard,
    ),
    Call(
        path="/v2",
        name="protocol_server",
        summary="Open Inference Protocol: server",
        description="Which server this is, as KServe's and Triton's clients ask for it.",
        response=ServerMetadata,
        error=ProtocolError,
    ),
    Call(
        path="/v2/health/live",
        name="protocol_live",
        summary="Open Inference Protocol: liveness",
        description="200 as long as the process runs.",
        response=ServerLive,
        errors=("internal_error",),
        error=ProtocolError,
    ),
    Call(
        path="/v2/health/ready",
        name="protocol_ready",
        summary="Open Inference Protocol: readiness",
        description="200 once the model is loaded, verified and has answered once; 503 when the service stops.",
        response=ServerReady,
        errors=("internal_error", "not_ready"),
        error=ProtocolError,
    ),
    *(
        call
        for model, suffix in (("/v2/models/{name}", ""), ("/v2/models/{name}/versions/{version}", "_version"))
        for call in (
            Call(
                path=model,
                name=f"protocol_model{suffix}",
                summary="Open Inference Protocol: model",
                description="The tensors that go in and come out.",
                response=ModelMetadata,
                errors=(*EVERY_CALL, "not_found"),
                error=ProtocolError,
            ),
            Call(
                path=f"{model}/ready",
                name=f"protocol_model_ready{suffix}",
                summary="Open Inference Protocol: model readiness",
                description="Whether the model can be asked.",
                response=ModelReady,
                errors=(*EVERY_CALL, "not_found"),
                error=ProtocolError,
            ),
            Call(
                path=f"{model}/infer",
                name=f"protocol_infer{suffix}",
                summary="Open Inference Protocol: inference",
                description="Texts as a tensor of BYTES in JSON; label and probabilities come back, and with "
                '`"outputs": [{"name": "token_count"}, {"name": "representations"}]` the top layer, padded with zeros '
                "behind each text's last token; `confident` can be named too where the model has a threshold. "
                "A tensor has no place for a text without an answer: one such text fails the request, and the error "
                "names it. A text with too many tokens is such a text too. The extension for binary tensors works both "
                "ways: with the header `Inference-Header-Content-Length` the texts may follow the JSON object as "
                "bytes, and with the parameter `binary_data` a tensor comes back so.",
                request=InferRequest,
                response=InferResponse,
                examples={
                    "Label and probabilities": {
                        "inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": [EXAMPLE_TEXT]}]
                    },
                    "Representations": {
                        "id": "42",
                        "inputs": [{"name": "text", "shape": [2], "datatype": "BYTES", "data": ["Fine.", "Not bad."]}],
                        "outputs": [{"name": "token_count"}, {"name": "representations"}],
                    },
                },
                errors=(*COMPUTING, "bad_request", "not_found"),
                error=ProtocolError,
            ),
        )
    ),
)

BULK_EXAMPLE = f'{{"text": "{EXAMPLE_TEXT}"}}\n{{"text": "The soup was cold."}}\n'
BULK_ERRORS: tuple[ErrorCode, ...] = (*EVERY_CALL, "unsupported_media_type", "invalid_request", "overloaded")

PROBES = {
    "/livez": ("Liveness", "200 as long as the process runs.", "text/plain"),
    "/readyz": ("Readiness", "200 once the model is loaded, verified and has answered once.", "text/plain"),
    "/metrics": ("Metrics", "Counters and durations in Prometheus' text format.", "text/plain"),
}


def openapi(card: ModelCard) -> dict[str, Any]:
    """The whole document, with the limits in force where JSON Schema has a word for them."""
    paths = {call.path: _operation(call, card) for call in CALLS if call.error is ErrorResponse}
    paths["/v1/bulk"] = _bulk()
    paths |= {call.path: _operation(call, card) for call in CALLS if call.error is ProtocolError}
    paths |= {path: _probe(*words) for path, words in PROBES.items()}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Sentiment",
            "version": "1",
            "summary": "Sentiment with reasons, and every token's representation in context.",
            "description": f"Serves {card.name} {card.version}. Every error has the same form, `ErrorResponse`, except "
            "under `/v2`, where it is the protocol's `ProtocolError`. Every response carries an `X-Request-ID`: yours "
            "if the request had one. An API key is needed only where the operator has set some.",
        },
        "servers": [{"url": "."}],
        "security": [{}, {"bearer": []}, {"key": []}],
        "paths": paths,
        "components": {
            "schemas": _schemas(card),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    }


def _schemas(card: ModelCard) -> dict[str, Any]:
    models: dict[type[BaseModel], JsonSchemaMode] = {
        ErrorResponse: "serialization",
        ProtocolError: "serialization",
        BulkLine: "validation",
        PredictResult: "serialization",
        UnansweredLine: "serialization",
    }
    for call in CALLS:
        models[call.response] = "serialization"
        if call.request:
            models[call.request] = "validation"
    _, document = models_json_schema(list(models.items()), ref_template=REFERENCE)
    schemas: dict[str, Any] = document["$defs"]
    for request in (PredictRequest, RepresentRequest):
        schemas[request.__name__]["properties"]["texts"]["maxItems"] = card.limits.max_texts
    depth = card.architecture.layers
    layers = [number for number in range(-depth, depth + 1) if number]
    schemas[RepresentRequest.__name__]["properties"]["layers"]["items"]["enum"] = layers
    return schemas


def _operation(call: Call, card: ModelCard) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": call.name,
        "summary": call.summary,
        "description": call.description,
        "responses": {
            "200": {"description": "The answer.", "content": _content(call.response)},
            **_error_responses(call.errors, call.error),
        },
    }
    if call.request is InferRequest:
        described = {"schema": {"type": "string", "contentMediaType": "application/octet-stream"}}
        operation["responses"]["200"]["content"]["application/octet-stream"] = described
    served = {"name": card.name, "version": card.version}
    parameters = [_in_path(name, value) for name, value in served.items() if f"{{{name}}}" in call.path]
    if parameters:
        operation["parameters"] = parameters
    if call.request is None:
        return {"get": operation}
    content = _content(call.request)
    content[JSON]["examples"] = {name: {"value": value} for name, value in call.examples.items()}
    operation["requestBody"] = {"required": True, "content": content}
    return {"post": operation}


def _in_path(name: str, served: str) -> dict[str, Any]:
    """A part of a path that has one value: what is served."""
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "enum": [served]}}


def _bulk() -> dict[str, Any]:
    """Streams of lines have no model of their own; ``x-line`` names what a line is."""
    line = {"type": "string", "contentMediaType": NDJSON}
    options = BulkOptions.model_json_schema()["properties"]
    answers = [{"$ref": REFERENCE.format(model=model.__name__)} for model in (PredictResult, UnansweredLine)]
    return {
        "post": {
            "operationId": "bulk",
            "summary": "Sentiment of a stream",
            "description": "Any number of texts, one JSON object a line, answered while they arrive: a line comes out "
            "for every line that goes in, in the same order; `index` counts them from 0. A line that cannot be "
            "answered gets an error with a `code`, and the stream goes on. Empty lines are passed over. The body has "
            "no limit; a line may be as long as the body of another call. Read the answers while you write, as "
            "`curl -N -X POST -T texts.ndjson` does: what is not read is not computed, and a client that reads nothing "
            "is given up after a while. An answer that does not end properly is not complete.",
            "parameters": [
                {"name": name, "in": "query", "description": schema.pop("description"), "schema": schema}
                for name, schema in options.items()
            ],
            "requestBody": {
                "required": True,
                "content": {
                    NDJSON: {
                        "schema": line,
                        "x-line": {"$ref": REFERENCE.format(model=BulkLine.__name__)},
                        "examples": {"Two texts": {"value": BULK_EXAMPLE}},
                    }
                },
            },
            "responses": {
                "200": {
                    "description": "A line for every line of the request.",
                    "content": {NDJSON: {"schema": line, "x-line": {"anyOf": answers}}},
                },
                **_error_responses(BULK_ERRORS, ErrorResponse),
            },
        }
    }


def _error_responses(codes: Iterable[ErrorCode], model: type[BaseModel]) -> dict[str, Any]:
    by_status: dict[int, list[ErrorCode]] = {}
    for code in codes:
        by_status.setdefault(ERRORS[code].status, []).append(code)
    return {
        str(status): {
            "description": "\n".join(f"`{code}`: {ERRORS[code].message}" for code in by_status[status]),
            "content": _content(model),
        }
        for status in sorted(by_status)
    }


def _probe(summary: str, description: str, media_type: str) -> dict[str, Any]:
    content = {media_type: {"schema": {"type": "string"}}}
    return {
        "get": {
            "operationId": summary.lower(),
            "summary": summary,
            "responses": {"200": {"description": description, "content": content}},
        }
    }


def _content(model: type[BaseModel]) -> dict[str, Any]:
    return {JSON: {"schema": {"$ref": REFERENCE.format(model=model.__name__)}}}
