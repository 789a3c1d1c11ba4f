"""OpenAI's ``/v1/embeddings``; ``/v1/models`` has its form in any case.

https://platform.openai.com/docs/api-reference/embeddings
"""

import base64
from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from service.adapters.adapted_model import (
    AdaptedModel,
    AdapterRequest,
    AdapterResponse,
    TextList,
    answer,
    listed,
    with_list,
)
from service.adapters.openai_form import Usage, post, usage
from service.answers import number_pieces
from service.endpoints import Operation
from service.schemas import EXAMPLE_TEXT, Text, one_problem

FORM = "Input should be a string or a list of strings; tokens of another model's vocabulary cannot be read"


class EmbeddingRequest(AdapterRequest):
    """Texts to embed."""

    input: Annotated[Text | TextList, one_problem(FORM)] = Field(
        description="One text, or several; not tokens.", examples=[EXAMPLE_TEXT]
    )
    encoding_format: Literal["float", "base64"] = Field(
        default="float", description='"base64" gives the bytes of little-endian float32 numbers.'
    )
    dimensions: int | None = Field(default=None, description="No other than the model's.")


class Embedding(AdapterResponse):
    """One text's vector."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class EmbeddingResponse(AdapterResponse):
    """The vector of each text, in order."""

    object: Literal["list"] = "list"
    data: list[Embedding]
    model: str
    usage: Usage


async def embeddings(request: Request) -> Response:
    """OpenAI: embeddings.

    One vector for each text: maximum and mean of the top layer's representations over its tokens. A text with too many
    tokens is an error.
    """
    return await answer(request, EmbeddingRequest, _embeddings)


def _embeddings(model: AdaptedModel, request: EmbeddingRequest) -> Iterator[bytes]:
    model.check_dimensions(request.dimensions)
    vectors, tokens = model.predictor.embed_all(listed(request.input))
    whole = EmbeddingResponse(data=[], model=model.card.name, usage=usage(tokens))
    items = (
        b'{"object":"embedding","index":%d,"embedding":%b}' % (index, _written(vector, request.encoding_format))
        for index, vector in enumerate(vectors)
    )
    return with_list(whole, items)


def _written(vector: NDArray[np.float32], encoding: Literal["float", "base64"]) -> bytes:
    if encoding == "base64":
        return b'"%b"' % base64.b64encode(vector.astype("<f4").tobytes())
    return b"[%b]" % b"".join(number_pieces(vector[None], nested=False))


ENDPOINTS = (
    post(
        "/v1/embeddings",
        embeddings,
        Operation(
            id="openai_embeddings",
            request=EmbeddingRequest,
            response=EmbeddingResponse,
            examples={
                "Numbers": {"input": EXAMPLE_TEXT},
                "Bytes": {"input": [EXAMPLE_TEXT, "The soup was cold."], "encoding_format": "base64"},
            },
        ),
    ),
)
