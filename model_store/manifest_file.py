"""manifest.json, in the format of today and in those of before."""

import json
import logging
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from model_store import old_formats
from model_store.errors import BundleError, first_problem
from model_store.evaluation import Evaluation
from model_store.manifest import FORMAT_VERSION, Manifest

SPLIT_SINCE = 3
"""The first format with the evaluation in a file of its own."""

_log = logging.getLogger(__name__)


def pack(manifest: Manifest) -> bytes:
    """The bytes of manifest.json."""
    newer = (
        {"multi_label"} if manifest.multi_label is None else None
    )  # a field that format 3 does not have, and a bundle may be rewritten in it
    return (manifest.model_dump_json(indent=2, exclude=newer) + "\n").encode()


def unpack(path: Path, file: bytes) -> tuple[Manifest, Evaluation | None]:
    """The manifest, and the evaluation if it is of a format that keeps it there; a log line says so.

    Raises:
        BundleError: the file is not a manifest, is invalid, or is of a newer format.
    """
    content, evaluation = _parse(path, file), None
    try:
        if content["format_version"] < SPLIT_SINCE:
            _log.warning(
                "%s is of format %d; python -m model_store upgrade %s rewrites it in format %d.",
                path, content["format_version"], path.parent, SPLIT_SINCE,
            )  # fmt: skip
            content, figures = old_formats.split(content)
            evaluation = Evaluation.model_validate(figures)
        return Manifest.model_validate(content), evaluation
    except ValidationError as error:
        field, problem = first_problem(error)
        raise BundleError(path, f"is invalid at {field or 'the top level'}: {problem}") from None
    except RecursionError:
        raise BundleError(path, "is nested too deeply to be a bundle's manifest") from None


def _parse(path: Path, file: bytes) -> dict[str, Any]:
    """The manifest's JSON object, of a format that this code reads."""
    try:
        raw: dict[str, Any] = json.loads(file)
    except (ValueError, RecursionError) as error:
        raise BundleError(path, f"is not valid JSON ({error})") from None
    version = raw.get("format_version") if isinstance(raw, dict) else None
    if not isinstance(version, int):
        raise BundleError(path, "has no format_version, so it is not a bundle's manifest")
    if version > FORMAT_VERSION:
        raise BundleError(
            path,
            f"is of format {version} and this version of the project reads up to {FORMAT_VERSION}: upgrade the project",
        )
    return raw
