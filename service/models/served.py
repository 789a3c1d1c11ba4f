"""The models that this process serves, by name."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from service.endpoints import Endpoint
from service.errors import RequestError
from service.models.loaded import LoadedModel
from service.monitoring import metrics
from service.open_inference.schemas import RepositoryIndex, RepositoryModel
from service.openapi import openapi
from service.schemas import ModelList


class ServedModels:
    """Finds the model that a call asks for. A model that is exchanged stays in memory until its last call has ended.

    Args:
        names: all models, also those that are not loaded; the first one answers calls that name none.
        endpoints: those of the service, for its description.
    """

    def __init__(self, names: Iterable[str], endpoints: Sequence[Endpoint]) -> None:
        self.names = tuple(names)
        self._endpoints = endpoints
        self._openapi: dict[str, Any] | None = None
        self._loaded: dict[str, LoadedModel] = {}

    def get(self, name: str | None = None) -> LoadedModel:
        """A model by its name, or by name:version.

        Raises:
            RequestError: ``unknown_model``; there is none, it has another version, or it is unloaded.
        """
        loaded = self._loaded.get(self.names[0]) if name is None else self._named(name)
        if loaded is None:
            raise RequestError("unknown_model", self._missing(name), param="model")
        return loaded

    def put(self, model: LoadedModel) -> None:
        """Let calls from now on be answered by this model, in place of the one with its name."""
        before = self._loaded.get(model.name)
        self._set({**self._loaded, model.name: model})
        metrics.serving(model.card, before=before.card if before else None)

    def remove(self, name: str) -> None:
        """Answer calls for this model no more."""
        if before := self._loaded.get(name):
            self._set({key: model for key, model in self._loaded.items() if key != name})
            metrics.not_serving(before.card)

    def sha256(self, name: str) -> str | None:
        """The hash of the bundle that is served under a name; None if none is."""
        loaded = self._loaded.get(name)
        return loaded.card.sha256 if loaded else None

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document; raises ``RequestError`` if the first model is unloaded."""
        if self._openapi is None:
            self.get()
            self._openapi = openapi([model.card for model in self._in_order()], self._endpoints)
        return self._openapi

    def list(self) -> ModelList:
        """Those that are loaded, the first one first."""
        return ModelList(data=[model.entry() for model in self._in_order()])

    def index(self) -> RepositoryIndex:
        """All of them, in the terms of the Open Inference Protocol."""
        return RepositoryIndex([self.state(name) for name in self.names])

    def state(self, name: str) -> RepositoryModel:
        """One of them, loaded or not."""
        if model := self._loaded.get(name):
            return RepositoryModel(name=name, version=model.card.version, state="READY")
        return RepositoryModel(name=name, state="UNAVAILABLE", reason="unloaded")

    def _in_order(self) -> Iterator[LoadedModel]:
        return (self._loaded[name] for name in self.names if name in self._loaded)

    def _set(self, loaded: dict[str, LoadedModel]) -> None:
        self._loaded = loaded  # replaced as a whole: threads read it meanwhile
        self._openapi = None

    def _named(self, name: str) -> LoadedModel | None:
        model = self._loaded.get(name)
        if model is None and ":" in name:
            name, version = name.rsplit(":", 1)
            model = self._loaded.get(name)
            return model if model and model.card.version == version else None
        return model

    def _missing(self, name: str | None) -> str:
        there = ", ".join(f"{model.name}:{model.card.version}" for model in self._in_order()) or "no model"
        return f"The model {name or self.names[0]} is not served; this server has {there}."
