"""When, where and with what a study was measured, in one sentence."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from platform import python_version

import psutil

from model_store import SentimentModel
from training.fit.provenance import processor_name

LIBRARIES: Mapping[str, Sequence[str]] = {
    "accuracy": (
        *("onnxruntime", "tokenizers", "numpy", "scikit-learn", "vaderSentiment", "textblob", "fasttext-wheel"),
        *("torch", "transformers", "setfit"),
    ),
    "engine": ("onnxruntime", "torch", "transformers", "fasttext-wheel", "numpy"),
    "serving": ("bentoml", "starlette", "uvicorn", "httptools", "onnxruntime", "fastapi", "litserve", "transformers"),
    "growth": ("onnxruntime", "torch", "bentoml"),
    "learning": ("torch", "pytorch-lightning", "transformers", "scikit-learn", "fasttext-wheel"),
}
"""Study to the packages that its figures depend on, of those that are installed."""


def installed(libraries: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Name and version of each that is there: a system that is not measured needs none."""
    for name in libraries:
        with suppress(PackageNotFoundError):
            yield name, version(name)


def measured_on(study: str) -> str:
    """A sentence for the page, to be made before the study begins, since it names the load."""
    manifest = SentimentModel.load("default").manifest
    today = datetime.now(UTC)
    libraries = ", ".join(f"{name} {number}" for name, number in installed(LIBRARIES[study]))
    return (
        f"Measured on {today.day} {today:%B %Y} with {manifest.name} {manifest.version} on {psutil.cpu_count()} "
        f"processors ({processor_name()}), at a load of {os.getloadavg()[0]:.1f} when it began; "
        f"Python {python_version()}, {libraries}."
    )
