"""A bundle on disk: written as a whole, and verified before anything in it is used."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from model_store import evaluation_file, manifest_file
from model_store.atomic_write import atomic_write, sync
from model_store.card import model_card
from model_store.errors import BundleError
from model_store.evaluation import Evaluation
from model_store.manifest import Manifest
from model_store.plain_file import read_plain_file
from model_store.stages import named_in_store

MANIFEST = "manifest.json"
EVALUATION = "evaluation.json"
TOKENIZER = "tokenizer.json"
GRAPH = "model.onnx"
CARD = "README.md"

REQUIRED = (TOKENIZER, GRAPH)

MAX_BYTES = {
    MANIFEST: 4 * 2**20,
    EVALUATION: 32 * 2**20,
    TOKENIZER: 32 * 2**20,  # the largest vocabularies in use, of a quarter of a million tokens, take 20
    GRAPH: 2**30,  # a vocabulary of 400,000 vectors of 300 numbers takes half of it
    CARD: 32 * 2**20,
}
"""Maximum size of each file, which is checked before it is read."""

DEFAULT = Path(__file__).with_name("default")


@dataclass(frozen=True, slots=True)
class Bundle:
    """A verified bundle's content. Each file is read once, so the bytes that were hashed are the bytes that are used.

    Attributes:
        path: the bundle's folder.
        manifest: its identity and contract.
        evaluation: its figures; may be empty.
        sha256: hash of manifest.json. That holds the hashes of tokenizer and graph, so it names the model.
        tokenizer, graph: the two files' bytes.
    """

    path: Path
    manifest: Manifest
    evaluation: Evaluation
    sha256: str
    tokenizer: bytes
    graph: bytes


def resolve(name: str | Path) -> Path:
    """A bundle's folder by name.

    Args:
        name: ``default``, the bundle that ships with the project; a stage, such as ``production``; the tag of a stored
            model, ``name:version``; or a folder.

    Raises:
        BundleError: no model has that stage or tag.
    """
    return DEFAULT if str(name) == "default" else named_in_store(str(name)) or Path(name)


def read(folder: Path) -> Bundle:
    """Read and verify a bundle.

    Raises:
        BundleError: a file is missing, changed, cut short, too large or a link, or the format is newer than this code;
            names the file.
    """
    if not folder.is_dir():
        raise BundleError(folder, 'there is no such folder; name a bundle\'s folder, a tag, or "default"')
    packed = _read_file(folder / MANIFEST)
    sha256 = _sha256(packed)
    manifest, evaluation = manifest_file.unpack(folder / MANIFEST, packed)
    _check_names(folder / MANIFEST, manifest)
    if evaluation is None:
        evaluation = _read_evaluation(folder, manifest_sha256=sha256)
    contents = {name: _read_verified(folder / name, expected) for name, expected in manifest.files.items()}
    return Bundle(folder, manifest, evaluation, sha256, tokenizer=contents[TOKENIZER], graph=contents[GRAPH])


def write(
    folder: Path,
    manifest: Manifest,
    files: Mapping[str, bytes],
    *,
    evaluation: Evaluation | None = None,
    overwrite: bool = False,
) -> None:
    """Write a bundle with its model card next to its destination and rename it into place.

    Args:
        folder: the destination.
        manifest: names the hashes of the files; see ``hashes``.
        files: tokenizer and graph.
        evaluation: figures for evaluation.json and the card.
        overwrite: replace a bundle that is there.

    Raises:
        BundleError: the folder exists and ``overwrite`` is false, or it exists and is not a bundle.
        ValueError: the manifest's hashes are not those of the files.
    """
    if manifest.files != hashes(files):
        message = "the manifest's file hashes are not those of the files"
        raise ValueError(message)
    require_writable(folder, overwrite=overwrite)
    evaluation = evaluation or Evaluation()
    packed = manifest_file.pack(manifest)
    card = model_card(manifest, evaluation).encode()
    sealed = evaluation_file.pack(evaluation, manifest_sha256=_sha256(packed), card_sha256=_sha256(card))
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        for name, content in {**files, MANIFEST: packed, EVALUATION: sealed, CARD: card}.items():
            atomic_write(temporary / name, content)
        temporary.chmod(0o755)  # mkdtemp creates a private folder; the service may run as another user
        _swap(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def rewrite(bundle: Bundle, *, manifest: Manifest | None = None, evaluation: Evaluation | None = None) -> None:
    """Write a bundle again, with another manifest or evaluation, in format 3 if it is older.

    Graph and tokenizer stay byte for byte the same. Without arguments, a bundle of format 3 or newer keeps its hash.

    Raises:
        BundleError: as ``write``.
    """
    files = {TOKENIZER: bundle.tokenizer, GRAPH: bundle.graph}
    manifest = manifest or bundle.manifest
    version = max(manifest.format_version, manifest_file.SPLIT_SINCE)
    renewed = manifest.replace(format_version=version, files=hashes(files))
    write(bundle.path, renewed, files, evaluation=evaluation or bundle.evaluation, overwrite=True)


def hashes(files: Mapping[str, bytes]) -> dict[str, str]:
    """SHA-256 of each file, by name, as a manifest has them."""
    return {name: _sha256(content) for name, content in sorted(files.items())}


def require_writable(folder: Path, *, overwrite: bool) -> None:
    """Refuse to replace a bundle without ``overwrite``, or anything that is not a bundle.

    Raises:
        BundleError: the folder exists and ``overwrite`` is false, or it exists and is not a bundle.
    """
    if folder.exists() and not overwrite:
        raise BundleError(folder, "already exists; choose another folder or pass --overwrite")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())) and not (folder / MANIFEST).is_file():
        raise BundleError(folder, "exists and is not a bundle, so it is not replaced; choose another folder")


def _swap(temporary: Path, folder: Path) -> None:
    if folder.exists():
        retired = Path(tempfile.mkdtemp(prefix=f".{folder.name}.old.", dir=folder.parent))
        folder.rename(retired / folder.name)
        temporary.rename(folder)
        shutil.rmtree(retired, ignore_errors=True)
    else:
        temporary.rename(folder)
    sync(folder.parent)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _read_file(path: Path) -> bytes:
    return read_plain_file(path, max_bytes=MAX_BYTES[path.name])


def _read_verified(path: Path, expected: str) -> bytes:
    content = _read_file(path)
    actual = _sha256(content)
    if actual != expected:
        raise BundleError(
            path,
            f"was changed or cut short after the bundle was written: its SHA-256 is {actual}, expected {expected}; "
            "export the bundle again or copy it again",
        )
    return content


def _read_evaluation(folder: Path, *, manifest_sha256: str) -> Evaluation:
    """The evaluation, verified, and with it the card; empty if there is no evaluation.json."""
    path = folder / EVALUATION
    if not os.path.lexists(path):
        return Evaluation()
    evaluation, card_sha256 = evaluation_file.unpack(path, _read_file(path), manifest_sha256=manifest_sha256)
    _read_verified(folder / CARD, card_sha256)
    return evaluation


def _check_names(path: Path, manifest: Manifest) -> None:
    for name in manifest.files:
        if name not in MAX_BYTES:
            raise BundleError(path, f"names a file that no bundle has: {name!r}")
    for name in REQUIRED:
        if name not in manifest.files:
            raise BundleError(path, f"does not name {name} among its files")
