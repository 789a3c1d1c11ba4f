"""infinity's ``/classify``: each text's labels with their scores.

https://michaelfeil.eu/infinity
"""

import time
import uuid
from collections.abc import Iterator
from typing import Literal

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from service.adapters.adapted_model import (
    HEALTH,
    AdaptedModel,
    AdapterRequest,
    AdapterResponse,
    TextList,
    answer,
    with_list,
)
from service.adapters.openai_form import Usage, post, usage
from service.adapters.scores import LabelScore, score_lists
from service.endpoints import Operation
from service.schemas import EXAMPLE_TEXT


class InfinityRequest(AdapterRequest):
    """Texts to classify; as with infinity, one with too many tokens is cut."""

    input: TextList = Field(description="The texts.", examples=[[EXAMPLE_TEXT]])
    raw_scores: bool = Field(default=False, description="Whether the scores are logits.")


class InfinityResponse(AdapterResponse):
    """Each text's labels, the one with the highest score first."""

    object: Literal["classify"] = "classify"
    data: list[list[LabelScore]]
    model: str
    usage: Usage
    id: str
    created: int


async def classify(request: Request) -> Response:
    """Classify, as infinity.

    The labels of each text with their scores, the highest first.
    """
    return await answer(request, InfinityRequest, _scores)


def _scores(model: AdaptedModel, request: InfinityRequest) -> Iterator[bytes]:
    predictions = model.predictor.predict_all(request.input, truncate="end")
    whole = InfinityResponse(
        data=[],
        model=model.card.name,
        usage=usage(sum(prediction.token_count for prediction in predictions)),
        id=f"infinity-{uuid.uuid4()}",
        created=int(time.time()),
    )
    return with_list(whole, score_lists(predictions, raw=request.raw_scores))


ENDPOINTS = (
    post(
        "/classify",
        classify,
        Operation(
            id="infinity_classify",
            request=InfinityRequest,
            response=InfinityResponse,
            examples={"Two texts": {"input": [EXAMPLE_TEXT, "The soup was cold."]}},
        ),
    ),
    HEALTH,
)
