"""Bundles in BentoML's model store: added and imported whole or not at all, listed, and exported as one file.

BentoML's own ``bentoml.models.create`` and ``import_model`` make the model's folder first and fill it afterwards, so a
process that is killed leaves half a model, on which ``bentoml models list`` fails. Here a model is written beside the
store, under a lock, and renamed into it. ``bentoml models list, get, export, import, delete`` work on what is written.
"""

import fcntl
import json
import lzma
import os
import platform
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from model_store import bundle as bundles
from model_store import stages
from model_store.atomic_write import atomic_path, atomic_write
from model_store.errors import BundleError
from model_store.model import SentimentModel
from model_store.tags import BUNDLE, LATEST, Tag, TagError, find, model_folder, store_folder, stored_tags

DESCRIPTION = "model.yaml"
"""BentoML's file about a model. It is YAML, of which JSON is a part."""

EXTENSION = ".bentomodel"
"""A tar archive of a model's folder, compressed with xz, as ``bentoml models export`` writes."""

LOCK = ".lock"


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A bundle in the store.

    Attributes:
        tag: its name and version.
        stages: those it has.
        bundle: its content; None if it is damaged.
        problem: what is wrong with it, if it is.
    """

    tag: Tag
    stages: tuple[str, ...]
    bundle: bundles.Bundle | None
    problem: str = ""


def add(folder: Path, *, tag: Tag | None = None) -> Tag:
    """Copy a bundle into the store once it is proven to load, and return its tag.

    Args:
        folder: the bundle.
        tag: by default the manifest's name and version.

    Raises:
        BundleError: the bundle cannot be used, another model has the tag, or the store cannot be written to, in which
            case it is as it was before.
        TagError: name and version do not make a tag.
    """
    content = bundles.read(folder)
    SentimentModel(content)
    tag = tag or Tag(content.manifest.name, content.manifest.version)
    if tag.version == LATEST:
        message = f"{tag}: {LATEST} means the version that was added last; choose another version"
        raise TagError(message)
    with locked(), _writing():
        target = model_folder(tag)
        if target.exists():
            _check_same(target, content, tag)
        else:
            with _staged() as staged:
                _copy(content, staged / BUNDLE)
                atomic_write(staged / DESCRIPTION, _description(tag, content))
                target.parent.mkdir(exist_ok=True)
                staged.rename(target)
        atomic_write(target.parent / LATEST, tag.version.encode())
    return tag


def promote(tag: Tag, stage: str) -> None:
    """Give a stored model a stage, once it is proven to load.

    Raises:
        BundleError: there is no such model, it is damaged, or the store cannot be written to.
    """
    with locked(), _writing():
        SentimentModel(bundles.read(model_folder(find(tag)) / BUNDLE))
        stages.promote(tag, stage)


def roll_back(stage: str) -> Tag:
    """Give a stage back to the model that had it before, which is returned.

    Raises:
        BundleError: there is none, or the store cannot be written to.
    """
    with locked(), _writing():
        return stages.roll_back(stage)


def stored_models() -> list[StoredModel]:
    """Every bundle in the store, by name and version, each verified."""
    history = stages.read_stages()
    models = []
    for tag in stored_tags():
        has = tuple(stage for stage, promotions in history.items() if promotions and promotions[-1].tag == str(tag))
        try:
            models.append(StoredModel(tag, has, bundles.read(model_folder(tag) / BUNDLE)))
        except BundleError as error:
            models.append(StoredModel(tag, has, None, problem=str(error)))
    return models


def export_file(tag: Tag, path: Path) -> Path:
    """Write a stored model to one file, which ``import_file`` and ``bentoml models import`` read; return its path.

    Args:
        tag: the model.
        path: the file, or a folder in which it gets the model's name.

    Raises:
        BundleError: there is no such model, it is damaged, or the file cannot be written.
    """
    tag = find(tag)
    folder = model_folder(tag)
    bundles.read(folder / BUNDLE)
    path = path / f"{tag.name}-{tag.version}{EXTENSION}" if path.is_dir() else path
    try:
        with atomic_path(path) as partial, tarfile.open(partial, "w:xz", preset=1) as archive:
            archive.add(folder, arcname=".")
    except OSError as error:
        raise BundleError(path, f"cannot be written ({error.strerror or error})") from error
    return path


def import_file(path: Path, *, tag: Tag | None = None) -> Tag:
    """Add the model of an exported file to the store and return its tag, by default the one it was exported with.

    Raises:
        BundleError: the file is not an exported bundle, or ``add`` refuses the bundle.
        TagError: as ``add``.
    """
    with tempfile.TemporaryDirectory(prefix="sentiment-import-") as folder:
        try:
            with tarfile.open(path, "r:*") as archive:
                archive.extractall(folder, filter="data")
        except (tarfile.TarError, lzma.LZMAError, EOFError, ValueError) as error:
            reason = f"is not a model that was exported ({error}); export it again or copy it again"
            raise BundleError(path, reason) from None
        except OSError as error:
            raise BundleError(path, f"cannot be read ({error.strerror or error})") from error
        if not (Path(folder) / BUNDLE).is_dir():
            raise BundleError(path, f"holds no bundle: it has no folder {BUNDLE}")
        return add(Path(folder) / BUNDLE, tag=tag or _exported_tag(Path(folder) / DESCRIPTION))


@contextmanager
def locked() -> Iterator[None]:
    """Hold the store's lock, which the system takes away from a process that ends. The store is made if it is missing.

    Raises:
        BundleError: the store cannot be written to.
    """
    path = store_folder() / LOCK
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        reason = f"cannot be opened ({error.strerror}); set BENTOML_HOME to a folder of yours"
        raise BundleError(path, reason) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _writing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = f"cannot be written to ({error.strerror or error}); it is as it was before"
        raise BundleError(store_folder(), reason) from error


@contextmanager
def _staged() -> Iterator[Path]:
    """An empty folder beside the store, on its disk; one that a killed process left is removed first.

    Not inside the store, where BentoML takes every folder for a model.
    """
    folder = store_folder().with_name("models-being-added")
    shutil.rmtree(folder, ignore_errors=True)
    staged = folder / "model"
    staged.mkdir(parents=True)
    try:
        yield staged
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _copy(content: bundles.Bundle, target: Path) -> None:
    """Copy a bundle's files and verify the copy."""
    names = [bundles.MANIFEST, *content.manifest.files, bundles.EVALUATION, bundles.CARD]
    for name in names:
        if (content.path / name).is_file():
            atomic_write(target / name, (content.path / name).read_bytes())
    copied = bundles.read(target)
    if copied.sha256 != content.sha256:
        raise BundleError(content.path, "was changed while it was copied; add it again")


def _check_same(target: Path, content: bundles.Bundle, tag: Tag) -> None:
    stored = bundles.read(target / BUNDLE)
    if stored.sha256 != content.sha256:
        reason = (
            f"{tag} is stored already and is another model (SHA-256 {stored.sha256[:12]}, this one's is "
            f"{content.sha256[:12]}); give this one another version with --tag {tag.name}:VERSION"
        )
        raise BundleError(target, reason)


def _description(tag: Tag, content: bundles.Bundle) -> bytes:
    """What BentoML shows of a model."""
    manifest = content.manifest
    figures: dict[str, dict[str, float]] = {}
    for metric in content.evaluation.metrics:
        figures.setdefault(metric.data, {})[metric.metric] = metric.value
    described: dict[str, Any] = {
        "name": tag.name,
        "version": tag.version,
        "module": "",
        "labels": {"labels": ", ".join(manifest.label_names), "sha256": content.sha256},
        "options": {},
        "metadata": {
            "description": manifest.description,
            "labels": list(manifest.label_names),
            "sha256": content.sha256,
            "created": manifest.created.isoformat(),
            "figures": figures,
        },
        "context": {
            "framework_name": "",
            "framework_versions": {},
            "bentoml_version": version("bentoml"),
            "python_version": platform.python_version(),
        },
        "signatures": {},
        "api_version": "v1",
        "creation_time": datetime.now(UTC).isoformat(),
    }
    return f"{json.dumps(described, indent=2)}\n".encode()


def _exported_tag(description: Path) -> Tag | None:
    """The tag in a model's description, if this module wrote it."""
    try:
        content = json.loads(description.read_bytes())
        return Tag(content["name"], content["version"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
