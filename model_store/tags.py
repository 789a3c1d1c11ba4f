"""Names of stored models: ``name:version`` in BentoML's model store, or a stage, such as ``production``."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from model_store.errors import BundleError

BUNDLE = "bundle"
"""A stored model's folder holds this folder, the bundle, beside BentoML's own description of the model."""

LATEST = "latest"
"""BentoML's file with the version that was added last; as a version it means that one."""

LONGEST = 63
"""Characters of a name or a version, at most; BentoML's limit."""

PATTERN = r"[a-z0-9](?:[-._a-z0-9]*[a-z0-9])?:[a-z0-9](?:[-._a-z0-9]*[a-z0-9])?"


class TagError(ValueError):
    """A text that is not a tag; the message says what is expected."""


@dataclass(frozen=True, slots=True, order=True)
class Tag:
    """Name and version of a stored model.

    Raises:
        TagError: BentoML would not accept the name or the version.
    """

    name: str
    version: str

    def __post_init__(self) -> None:
        if max(len(self.name), len(self.version)) > LONGEST or not re.fullmatch(PATTERN, str(self)):
            message = (
                f"{self} is not a tag: name and version need 1 to {LONGEST} of the characters a-z, 0-9, '.', '_' and "
                "'-', and begin and end with a letter or a digit; pass --tag name:version"
            )
            raise TagError(message)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The tag written as ``name:version``."""
        name, _, version = text.partition(":")
        return cls(name, version)

    def __str__(self) -> str:
        return f"{self.name}:{self.version}"


def store_folder() -> Path:
    """BentoML's model store: ``$BENTOML_HOME/models``, by default ``~/bentoml/models``."""
    home = os.environ.get("BENTOML_HOME") or Path.home() / "bentoml"
    return Path(home).expanduser() / "models"


def model_folder(tag: Tag) -> Path:
    """The folder of a stored model, which may not exist."""
    return store_folder() / tag.name / tag.version


def find(tag: Tag) -> Tag:
    """The stored model that a tag names: the tag itself, or the last one added if its version is ``latest``.

    Raises:
        BundleError: there is none; the message names those there are.
    """
    if tag.version == LATEST:
        latest = model_folder(tag)
        if not latest.is_file():
            raise _not_stored(tag)
        tag = Tag(tag.name, latest.read_text(encoding="utf-8").strip())
    if not (model_folder(tag) / BUNDLE).is_dir():
        raise _not_stored(tag)
    return tag


def stored_tags() -> list[Tag]:
    """Every bundle in the store, by name and version; models of other programs are left out."""
    found = store_folder().glob(f"*/*/{BUNDLE}")
    return sorted(Tag(folder.parent.parent.name, folder.parent.name) for folder in found)


def _not_stored(tag: Tag) -> BundleError:
    known = ", ".join(map(str, stored_tags())) or "nothing"
    return BundleError(store_folder(), f"holds no {tag}, but {known}; add one with: python -m model_store add BUNDLE")
