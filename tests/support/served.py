"""The objects behind the endpoints, over bundles, without BentoML."""

from collections.abc import Sequence
from pathlib import Path

from service.models.exchange import load_pinned
from service.models.loaded import ModelLoader
from service.models.pins import pinned
from service.models.references import ModelReference, read_all
from service.models.served import ServedModels
from service.routes import endpoints_of
from service.settings import Settings


def served_models(*folders: Path, settings: Settings, names: Sequence[str] = ()) -> ServedModels:
    """The models in these folders, under these names or their own."""
    named = [*names, *[None] * (len(folders) - len(names))]
    requested = [ModelReference(name, str(folder)) for name, folder in zip(named, folders, strict=True)]
    return load_pinned(pinned(read_all(requested)), ModelLoader(settings), endpoints_of(settings))
