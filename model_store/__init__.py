"""The bundle format of trained models, and the only code that runs one."""

from importlib import import_module
from typing import TYPE_CHECKING

from model_store.errors import BundleError, DeviceError, ModelError, TextError
from model_store.version import __version__

if TYPE_CHECKING:
    from model_store.evaluation import Evaluation
    from model_store.graph_runner import Device, GraphRunner, require_device
    from model_store.manifest import Manifest, Reason
    from model_store.model import SentimentModel
    from model_store.results import Match, Prediction, Representations, Token
    from model_store.tokenization import TokenizedText, Truncation
else:
    PLACES = {
        "evaluation": ("Evaluation",),
        "graph_runner": ("Device", "GraphRunner", "require_device"),
        "manifest": ("Manifest", "Reason"),
        "model": ("SentimentModel",),
        "results": ("Match", "Prediction", "Representations", "Token"),
        "tokenization": ("TokenizedText", "Truncation"),
    }

    def __getattr__(name: str) -> object:
        """Import at its first use what reads a manifest or runs a model: who only finds bundles starts sooner."""
        for module, names in PLACES.items():
            if name in names:
                value = globals()[name] = getattr(import_module(f"{__name__}.{module}"), name)
                return value
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)


__all__ = [
    "BundleError",
    "Device",
    "DeviceError",
    "Evaluation",
    "GraphRunner",
    "Manifest",
    "Match",
    "ModelError",
    "Prediction",
    "Reason",
    "Representations",
    "SentimentModel",
    "TextError",
    "Token",
    "TokenizedText",
    "Truncation",
    "__version__",
    "require_device",
]
