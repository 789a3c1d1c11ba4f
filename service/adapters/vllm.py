"""vLLM's ``/classify``: the probability of every label, in the order of the model's labels.

https://docs.vllm.ai/en/latest/models/pooling_models
"""

import time
import uuid
from collections.abc import Iterator
from typing import Literal

from pydantic import Field
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

from model_store import Prediction, Truncation
from service.adapters.adapted_model import (
    HEALTH,
    AdaptedModel,
    AdapterRequest,
    AdapterResponse,
    TextOrTexts,
    answer,
    listed,
    with_list,
)
from service.adapters.openai_form import Usage, post, usage
from service.endpoints import Operation
from service.errors import RequestError
from service.schemas import EXAMPLE_TEXT

WHOLE_LENGTH = -1
"""The value of ``truncate_prompt_tokens`` that cuts to what the model reads."""


class VllmRequest(AdapterRequest):
    """Texts to classify."""

    input: TextOrTexts = Field(description="One text, or several; not tokens.", examples=[EXAMPLE_TEXT])
    truncate_prompt_tokens: int | None = Field(
        default=None,
        description="-1 cuts a text with too many tokens at its end; otherwise it is an error. Other lengths are "
        "refused.",
    )
    use_activation: bool | None = Field(default=None, description="With false, `probs` are logits.")
    activation: bool | None = Field(default=None, description="The older name of `use_activation`.")


class VllmClass(AdapterResponse):
    """One text's answer."""

    index: int
    label: str
    probs: list[float]
    num_classes: int


class VllmUsage(Usage):
    """Tokens that the model read."""

    completion_tokens: int = 0
    prompt_tokens_details: None = None


class VllmResponse(AdapterResponse):
    """The answer to each text, in order."""

    id: str
    object: Literal["list"] = "list"
    created: int
    model: str
    data: list[VllmClass]
    usage: VllmUsage


async def classify(request: Request) -> Response:
    """Classify, as vLLM.

    Each text's label, and the probability of every label, in the order of the model's labels.
    """
    return await answer(request, VllmRequest, _classes)


def _classes(model: AdaptedModel, request: VllmRequest) -> Iterator[bytes]:
    truncate = _truncation(request.truncate_prompt_tokens)
    predictions = model.predictor.predict_all(listed(request.input), truncate=truncate)
    raw = False in (request.use_activation, request.activation)
    tokens = usage(sum(prediction.token_count for prediction in predictions))
    whole = VllmResponse(
        id=f"classify-{uuid.uuid4().hex}",
        created=int(time.time()),
        model=model.card.name,
        data=[],
        usage=VllmUsage(**tokens.model_dump()),
    )
    return with_list(whole, (to_json(_class(*numbered, raw=raw)) for numbered in enumerate(predictions)))


def _class(index: int, prediction: Prediction, *, raw: bool) -> VllmClass:
    scores = prediction.logits.tolist() if raw else list(prediction.scores.values())
    label = max(prediction.scores, key=prediction.scores.__getitem__)  # also of a model that may give several
    return VllmClass(index=index, label=label, probs=scores, num_classes=len(scores))


def _truncation(tokens: int | None) -> Truncation:
    if tokens is None:
        return "never"
    if tokens == WHOLE_LENGTH:
        return "end"
    message = "Only -1 is supported: to what the model reads"
    raise RequestError("invalid_request", message, param="truncate_prompt_tokens")


ENDPOINTS = (
    post(
        "/classify",
        classify,
        Operation(
            id="vllm_classify",
            request=VllmRequest,
            response=VllmResponse,
            examples={"Two texts": {"input": [EXAMPLE_TEXT, "The soup was cold."]}},
        ),
    ),
    HEALTH,
)
