"""What a trained model is: the bundle format, and the only code that knows how to run one."""

from model_store.errors import BundleError, DeviceError, ModelError, TextError
from model_store.manifest import Manifest
from model_store.model import Device, SentimentModel, require_device
from model_store.results import Prediction, Token
from model_store.tokenization import TokenizedText, Truncation
from model_store.version import __version__

__all__ = [
    "BundleError",
    "Device",
    "DeviceError",
    "Manifest",
    "ModelError",
    "Prediction",
    "SentimentModel",
    "TextError",
    "Token",
    "TokenizedText",
    "Truncation",
    "__version__",
    "require_device",
]
