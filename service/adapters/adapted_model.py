"""What all adapters share: the model they answer from, how a request is answered, and schemas of requests."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from service import answers
from service.endpoints import Endpoint
from service.errors import RequestError
from service.predictor import Predictor
from service.request_body import parse_json
from service.schemas import ModelCard, Text, one_problem
from service.settings import Settings

RequestT = TypeVar("RequestT", bound="AdapterRequest")

NOT_NAMED = {"", "default/not-specified"}
"""What clients send that name no model; the second one infinity's."""


@dataclass(frozen=True)
class AdaptedModel:
    """A served model, its card and the limits in force."""

    predictor: Predictor
    card: ModelCard
    settings: Settings

    def check_dimensions(self, dimensions: int | None) -> None:
        """Raise ``RequestError`` if vectors of another size than the model's are requested."""
        size = 2 * self.card.architecture.representation_size  # maximum and mean
        if dimensions not in (None, size):
            message = f"The vectors have {size} dimensions, and no others can be made; leave the field out."
            raise RequestError("bad_request", message, param="dimensions")


class AdapterRequest(BaseModel):
    """Unknown members are ignored: clients send options that only some servers know."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True, hide_input_in_errors=True)

    model: str | None = Field(default=None, description="The served model's name, or name:version; may be absent.")


class AdapterResponse(BaseModel):
    """An object of an answer."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())


TextList = Annotated[list[Text], Field(min_length=1, fail_fast=True)]

TextOrTexts = Annotated[Text | TextList, one_problem("Input should be a string, or a list of strings")]
"""One text, or several; not tokens, because each model has its own."""


def listed(texts: str | list[str]) -> list[str]:
    """The texts as a list."""
    return [texts] if isinstance(texts, str) else texts


def adapted_model(request: Request, name: str | None = None) -> AdaptedModel:
    """The model of this name; raises ``RequestError`` if there is none."""
    model: AdaptedModel = request.app.state.served.models.get(None if name in NOT_NAMED else name).adapted
    return model


async def answer(
    request: Request, schema: type[RequestT], compute: Callable[[AdaptedModel, RequestT], Iterable[bytes]]
) -> Response:
    """Parse a body, compute and write the answer as the native endpoints do."""
    body = await request.body()

    def respond() -> Response:
        parsed = parse_json(schema, body)
        return answers.response(compute(adapted_model(request, parsed.model), parsed))

    response: Response = await request.app.state.served.executor.run(respond, size=len(body))
    return response


def list_pieces(items: Iterable[bytes]) -> Iterator[bytes]:
    """The JSON of a list of items that are JSON."""
    yield b"["
    for index, item in enumerate(items):
        yield b",%b" % item if index else item
    yield b"]"


def with_list(whole: AdapterResponse, items: Iterable[bytes]) -> Iterator[bytes]:
    """The JSON of an object whose only list is empty, with these items in the list."""
    head, _, tail = whole.model_dump_json().encode().partition(b"[]")
    yield head
    yield from list_pieces(items)
    yield tail


async def health(request: Request) -> Response:
    """Health.

    200 while the service is ready, as `/readyz`.
    """
    request.app.state.served.shutdown.check_ready()
    return Response()


HEALTH = Endpoint(method="GET", path="/health", handler=health, needs_key=False, logged=False)
"""Text Embeddings Inference, vLLM and infinity are all probed here."""
