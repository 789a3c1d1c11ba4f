"""The form of Hugging Face's text-classification pipelines, as its hosted API and ``InferenceClient`` speak it."""

from collections.abc import Iterator
from typing import Literal

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from model_store import Truncation
from service.adapters.adapted_model import AdaptedModel, AdapterRequest, TextOrTexts, answer, list_pieces, listed
from service.adapters.scores import ScoreLists, score_lists
from service.endpoints import Body, Endpoint, Operation
from service.errors import RequestError
from service.schemas import EXAMPLE_TEXT, ProtocolError


class PipelineParameters(AdapterRequest):
    """Options of the pipeline."""

    top_k: int | None = Field(default=None, ge=1, description="How many labels of each text; all by default.")
    function_to_apply: Literal["softmax", "none"] | None = Field(
        default=None, description='"none" gives logits. "sigmoid" is refused: the labels exclude each other.'
    )
    truncation: bool | None = Field(
        default=None, description="Whether a text with too many tokens is cut; otherwise it is an error."
    )


class PipelineRequest(AdapterRequest):
    """Texts to classify."""

    inputs: TextOrTexts = Field(description="One text, or several.", examples=[EXAMPLE_TEXT])
    parameters: PipelineParameters | None = Field(default=None, description="Options of the pipeline.")


async def classify(request: Request) -> Response:
    """Hugging Face: text classification.

    The labels of each text with their scores, the highest first.
    """
    return await answer(request, PipelineRequest, _scores)


def _scores(model: AdaptedModel, request: PipelineRequest) -> Iterator[bytes]:
    parameters = request.parameters or PipelineParameters()
    truncate: Truncation = "end" if parameters.truncation else "never"
    predictions = model.predictor.predict_all(listed(request.inputs), truncate=truncate)
    return list_pieces(score_lists(predictions, raw=parameters.function_to_apply == "none", top=parameters.top_k))


def error_form(error: RequestError, status: int, _: str) -> tuple[int, bytes]:
    """An error as Hugging Face's servers write it."""
    message = f"{error.param}: {error.message}" if error.param else error.message
    return status, ProtocolError(error=message).model_dump_json().encode()


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/",
        handler=classify,
        body=Body.WHOLE,
        error_form=error_form,
        operation=Operation(
            id="huggingface_text_classification",
            request=PipelineRequest,
            response=ScoreLists,
            errors=("invalid_request", "bad_request"),
            error=ProtocolError,
            examples={
                "One text": {"inputs": EXAMPLE_TEXT},
                "The best label of each": {"inputs": [EXAMPLE_TEXT, "Cold soup."], "parameters": {"top_k": 1}},
            },
        ),
    ),
)
