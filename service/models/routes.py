"""The endpoints about the models themselves: which there are, and how they are exchanged."""

from starlette.requests import Request
from starlette.responses import Response

from service.endpoints import Endpoint, Operation
from service.models.exchange import ModelExchange
from service.models.served import ServedModels
from service.open_inference.routes import json_answer, operation
from service.open_inference.schemas import RepositoryIndex, RepositoryModel
from service.schemas import ModelList, ServedModel

REPOSITORY = "/v2/repository"
MODEL = f"{REPOSITORY}/models/{{name}}"


async def models(request: Request) -> Response:
    """Models.

    The models that are served, in the form of OpenAI's list. A call chooses one by the member `model`; the first one
    answers calls that name none.
    """
    return json_answer(_served(request).list())


async def model(request: Request) -> Response:
    """Model of the list.

    One of them.
    """
    return json_answer(_served(request).get(request.path_params["name"]).entry())


async def index(request: Request) -> Response:
    """Open Inference Protocol: repository.

    The models that this server was given, loaded or not.
    """
    return json_answer(_served(request).index())


async def load(request: Request) -> Response:
    """Open Inference Protocol: load.

    Finds the model's bundle again, verifies it, loads it beside the one that is served, and exchanges them; requests
    under way end with the one before. A bundle that cannot be served changes nothing. Other workers follow within a
    second.
    """
    name = request.path_params["name"]
    await _exchange(request).load(name)
    return json_answer(_served(request).state(name))


async def unload(request: Request) -> Response:
    """Open Inference Protocol: unload.

    The model answers no more calls until it is loaded again. Other workers follow within a second.
    """
    name = request.path_params["name"]
    await _exchange(request).unload(name)
    return json_answer(_served(request).state(name))


ENDPOINTS = (
    Endpoint(method="GET", path="/v1/models", handler=models, operation=Operation(id="models", response=ModelList)),
    Endpoint(
        method="GET",
        path="/v1/models/{name}",
        handler=model,
        operation=Operation(id="model_entry", response=ServedModel, errors=("unknown_model",)),
    ),
    Endpoint(
        method="POST",
        path=f"{REPOSITORY}/index",
        handler=index,
        operation=operation("repository_index", RepositoryIndex),
    ),
)
"""What is there in any case."""

EXCHANGE = (
    Endpoint(
        method="POST",
        path=f"{MODEL}/load",
        handler=load,
        operation=operation("repository_load", RepositoryModel, "unknown_model", "bad_model"),
    ),
    Endpoint(
        method="POST",
        path=f"{MODEL}/unload",
        handler=unload,
        operation=operation("repository_unload", RepositoryModel, "unknown_model"),
    ),
)
"""What is there only where API keys protect it."""


def _served(request: Request) -> ServedModels:
    served: ServedModels = request.app.state.served.models
    return served


def _exchange(request: Request) -> ModelExchange:
    exchange: ModelExchange = request.app.state.served.exchange
    return exchange
