"""evaluation.json: a bundle's evaluation, sealed, and tied to the manifest and the model card it belongs to.

The file is not part of the bundle's identity, which is the hash of manifest.json. So it carries three hashes of its
own: of the manifest it belongs to, of the card that was written with it, and of its own content.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from model_store.errors import BundleError, first_problem
from model_store.evaluation import Evaluation

SEAL = "sha256"
"""The field with the hash of all the others."""


def pack(evaluation: Evaluation, *, manifest_sha256: str, card_sha256: str) -> bytes:
    """The bytes of evaluation.json."""
    unset = {"reference"} if evaluation.reference is None else None  # so that 2.x reads a bundle without one
    content = {
        "manifest_sha256": manifest_sha256,
        "card_sha256": card_sha256,
        "evaluation": evaluation.model_dump(mode="json", exclude=unset),
    }
    return (json.dumps({**content, SEAL: _hash(content)}, indent=2, ensure_ascii=False) + "\n").encode()


def unpack(path: Path, file: bytes, *, manifest_sha256: str) -> tuple[Evaluation, str]:
    """The evaluation, and the SHA-256 of the card that was written with it.

    Raises:
        BundleError: the file was changed or cut short, or belongs to another manifest.
    """
    try:
        content = json.loads(file)
        seal = content.pop(SEAL)
        intact = seal == _hash(content)
        belongs_to, card_sha256 = content["manifest_sha256"], content["card_sha256"]
        evaluation = content["evaluation"]
    except (ValueError, TypeError, AttributeError, LookupError, RecursionError):
        intact = False
    if not intact:
        raise BundleError(path, "was changed or cut short after it was written; copy the bundle again")
    if belongs_to != manifest_sha256:
        raise BundleError(
            path,
            f"belongs to another bundle, whose manifest's SHA-256 is {belongs_to}; this one's is {manifest_sha256}",
        )
    try:
        return Evaluation.model_validate(evaluation), card_sha256
    except ValidationError as error:
        field, problem = first_problem(error)
        raise BundleError(path, f"is invalid at {field or 'the top level'}: {problem}") from None


def _hash(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
