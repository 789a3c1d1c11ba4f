"""The bundle format of trained models, and the only code that runs one."""

from model_store.errors import BundleError, DeviceError, ModelError, TextError
from model_store.evaluation import Evaluation
from model_store.graph_runner import Device, GraphRunner, require_device
from model_store.manifest import Manifest, Reason
from model_store.model import SentimentModel
from model_store.results import Match, Prediction, Representations, Token
from model_store.tokenization import TokenizedText, Truncation
from model_store.version import __version__

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
