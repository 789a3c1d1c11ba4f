"""Text Embeddings Inference: ``/predict``, ``/embed`` and ``/info``.

https://huggingface.github.io/text-embeddings-inference. Its root path, where a classifier answers as at ``/predict``,
is left to ``service.adapters.huggingface``, whose clients expect a list around the answer to a single text.
"""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Annotated, Any, Literal, cast

import numpy as np
from pydantic import BeforeValidator, Field, RootModel
from starlette.requests import Request
from starlette.responses import Response

from model_store import Truncation
from service.adapters.adapted_model import (
    HEALTH,
    AdaptedModel,
    AdapterRequest,
    AdapterResponse,
    TextList,
    TextOrTexts,
    adapted_model,
    answer,
    list_pieces,
    listed,
)
from service.adapters.scores import ScoreListOrLists, score_lists
from service.answers import number_pieces
from service.endpoints import Body, Endpoint, Operation
from service.errors import RequestError
from service.schemas import EXAMPLE_TEXT, ErrorCode, Text, one_problem

ErrorType = Literal["Validation", "Tokenizer", "Backend", "Overloaded", "Unhealthy"]

FORM = "Input should be a string, a list of one string, or a batch: a list of lists of one string"

Inputs = Annotated[Text | TextList | Annotated[list[TextList], Field(min_length=1, fail_fast=True)], one_problem(FORM)]


def _capitalized(value: object) -> object:
    return value.capitalize() if isinstance(value, str) else value


Direction = Annotated[Literal["Left", "Right"], BeforeValidator(_capitalized)]
"""Clients also write it in lower case."""


class TeiRequest(AdapterRequest):
    """Options that both calls have."""

    truncate: bool | None = Field(
        default=False, description="Whether a text with too many tokens is cut; otherwise it is an error."
    )
    truncation_direction: Direction = Field(default="Right", description="The end that is cut.")

    @property
    def truncation(self) -> Truncation:
        """The same in this service's words."""
        if not self.truncate:
            return "never"
        return "start" if self.truncation_direction == "Left" else "end"


class TeiPredictRequest(TeiRequest):
    """Texts to classify."""

    inputs: Inputs = Field(
        description="One text; or a batch as a list of lists of one text. A list of two texts is a pair in Text "
        "Embeddings Inference, which this model cannot read.",
        examples=[EXAMPLE_TEXT],
    )
    raw_scores: bool = Field(default=False, description="Whether the scores are logits.")


class TeiEmbedRequest(TeiRequest):
    """Texts to embed."""

    inputs: TextOrTexts = Field(description="One text, or several.", examples=[EXAMPLE_TEXT])
    normalize: bool = Field(default=True, description="Whether each vector is scaled to length 1.")
    dimensions: int | None = Field(default=None, description="No other than the model's.")


class TeiVectors(RootModel[list[list[float]]]):
    """One vector for each text."""


class TeiInfo(AdapterResponse):
    """The served model and the limits in force."""

    model_id: str
    model_sha: str
    model_dtype: str
    model_type: dict[Literal["classifier"], dict[Literal["id2label", "label2id"], dict[str, str | int]]]
    max_concurrent_requests: int
    max_input_length: int
    max_batch_tokens: int
    max_batch_requests: int | None
    max_client_batch_size: int
    auto_truncate: bool
    tokenization_workers: int
    version: str
    sha: None = None
    docker_label: None = None


class TeiError(AdapterResponse):
    """The body of a response whose status is not 2xx."""

    error: str = Field(description="A sentence for people.")
    error_type: ErrorType


STATUSES: dict[ErrorCode, tuple[int, ErrorType]] = {
    "bad_request": (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Validation"),  # a text that cannot be answered
    "too_many_texts": (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Validation"),
    "too_much_work": (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Validation"),
    "overloaded": (HTTPStatus.TOO_MANY_REQUESTS, "Overloaded"),
    "quota_exceeded": (HTTPStatus.TOO_MANY_REQUESTS, "Overloaded"),
    "not_ready": (HTTPStatus.SERVICE_UNAVAILABLE, "Unhealthy"),
    "internal_error": (HTTPStatus.FAILED_DEPENDENCY, "Backend"),
    "deadline_exceeded": (HTTPStatus.FAILED_DEPENDENCY, "Backend"),
}
"""Status and type of the errors for which Text Embeddings Inference has its own; others keep their status."""


def error_form(error: RequestError, status: int, _: str) -> tuple[int, bytes]:
    """An error as Text Embeddings Inference writes it."""
    status, kind = STATUSES.get(error.code, (status, "Validation"))
    message = f"{error.param}: {error.message}" if error.param else error.message
    return status, TeiError(error=message, error_type=kind).model_dump_json().encode()


async def predict(request: Request) -> Response:
    """Text Embeddings Inference: predict.

    The labels of a text with their scores, the highest first; for a batch, a list of such lists.
    """
    return await answer(request, TeiPredictRequest, _scores)


async def embed(request: Request) -> Response:
    """Text Embeddings Inference: embed.

    One vector for each text: maximum and mean of the top layer's representations over its tokens.
    """
    return await answer(request, TeiEmbedRequest, _vectors)


async def info(request: Request) -> Response:
    """Text Embeddings Inference: info.

    The served model and the limits in force.
    """
    return Response(_info(adapted_model(request)).model_dump_json(), media_type="application/json")


def _scores(model: AdaptedModel, request: TeiPredictRequest) -> Iterator[bytes]:
    inputs = request.inputs
    is_batch = isinstance(inputs, list) and isinstance(inputs[0], list)
    groups = cast("list[list[str]]", inputs if is_batch else [listed(cast("str | list[str]", inputs))])
    for group in groups:
        if len(group) == 2:  # noqa: PLR2004 - a pair
            message = 'this model reads single texts, not pairs; send a batch as [["one"], ["two"]]'
            raise RequestError("bad_request", message, param="inputs")
        if len(group) > 1:
            raise RequestError("invalid_request", FORM, param="inputs")
    texts = [group[0] for group in groups]
    predictions = model.predictor.predict_all(texts, truncate=request.truncation)
    scores = score_lists(predictions, raw=request.raw_scores)
    return list_pieces(scores) if is_batch else scores


def _vectors(model: AdaptedModel, request: TeiEmbedRequest) -> Iterator[bytes]:
    model.check_dimensions(request.dimensions)
    vectors = model.predictor.embed_all(listed(request.inputs), truncate=request.truncation).vectors
    if request.normalize:
        vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    yield b"["
    yield from number_pieces(vectors, nested=True)
    yield b"]"


def _info(model: AdaptedModel) -> TeiInfo:
    card, limits = model.card, model.card.limits
    names = [label.name for label in card.labels]
    return TeiInfo(
        model_id=card.name,
        model_sha=card.sha256,
        model_dtype=card.arithmetic,
        model_type={
            "classifier": {
                "id2label": {str(index): name for index, name in enumerate(names)},
                "label2id": {name: index for index, name in enumerate(names)},
            }
        },
        max_concurrent_requests=model.settings.max_in_flight,
        max_input_length=limits.max_tokens,
        max_batch_tokens=limits.max_request_tokens,
        max_batch_requests=None,
        max_client_batch_size=limits.max_texts,
        auto_truncate=False,
        tokenization_workers=model.settings.threads,
        version=card.service_version,
    )


def _operation(identifier: str, response: type[Any], **options: Any) -> Operation:  # noqa: ANN401
    return Operation(id=f"tei_{identifier}", response=response, error=TeiError, **options)


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/predict",
        handler=predict,
        body=Body.WHOLE,
        error_form=error_form,
        operation=_operation(
            "predict",
            ScoreListOrLists,
            errors=("invalid_request", "bad_request"),
            request=TeiPredictRequest,
            examples={
                "One text": {"inputs": EXAMPLE_TEXT},
                "A batch": {"inputs": [[EXAMPLE_TEXT], ["The soup was cold."]], "raw_scores": True},
            },
        ),
    ),
    Endpoint(
        method="POST",
        path="/embed",
        handler=embed,
        body=Body.WHOLE,
        error_form=error_form,
        operation=_operation(
            "embed",
            TeiVectors,
            errors=("invalid_request", "bad_request"),
            request=TeiEmbedRequest,
            examples={"Two texts": {"inputs": [EXAMPLE_TEXT, "The soup was cold."]}},
        ),
    ),
    Endpoint(method="GET", path="/info", handler=info, error_form=error_form, operation=_operation("info", TeiInfo)),
    HEALTH,
)
