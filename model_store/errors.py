"""Errors of bundles, of texts, and of the runtime."""

from pathlib import Path
from typing import Literal

from pydantic import ValidationError

TextErrorCode = Literal["empty_text", "invalid_text", "too_many_tokens"]


class BundleError(Exception):
    """A bundle that cannot be used: the message names the file and the reason."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class TextError(ValueError):
    """One text that cannot be answered; the other texts can.

    Attributes:
        code: a stable word for programs to test.
        index: the text's position in its list, or None for a single text.
    """

    def __init__(self, code: TextErrorCode, message: str, *, index: int | None = None) -> None:
        super().__init__(message if index is None else f"text {index}: {message}")
        self.code = code
        self.message = message
        self.index = index


class ModelError(ValueError):
    """A request that this model cannot fulfil, such as a layer it does not have."""


class DeviceError(Exception):
    """The model cannot run on the requested device; the message says what is missing."""


def first_problem(error: ValidationError) -> tuple[str, str]:
    """Place ("calibration.temperature", empty for the top level) and message of the first problem pydantic found."""
    problem = error.errors()[0]
    return ".".join(str(name) for name in problem["loc"]), problem["msg"]
