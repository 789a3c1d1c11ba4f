"""A bundle on disk: written all at once or not at all, and verified before anything in it is used."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from model_store.errors import BundleError
from model_store.manifest import FORMAT_VERSION, Manifest

MANIFEST = "manifest.json"
TOKENIZER = "tokenizer.json"
GRAPH = "model.onnx"
CARD = "README.md"

REQUIRED = (TOKENIZER, GRAPH)
DEFAULT = Path(__file__).with_name("default")


@dataclass(frozen=True, slots=True)
class Bundle:
    """A verified bundle's content, read once: what was hashed is what is used.

    Attributes:
        sha256: hash of manifest.json; since that holds every other file's hash, it names the bundle's whole content.
    """

    folder: Path
    manifest: Manifest
    sha256: str
    tokenizer: bytes
    graph: bytes


def resolve(name: str | Path) -> Path:
    """The folder a person means: ``default`` is the bundle that ships with the project."""
    return DEFAULT if str(name) == "default" else Path(name)


def read(folder: Path) -> Bundle:
    """Reads and verifies a bundle.

    Raises:
        BundleError: a file is missing, changed or cut short, or the format is newer than this code; names the file.
    """
    if not folder.is_dir():
        raise BundleError(folder, 'there is no such folder; name a bundle\'s folder, or "default"')
    manifest_bytes = _read_file(folder / MANIFEST)
    manifest = _parse_manifest(folder / MANIFEST, manifest_bytes)
    contents = read_files(folder, manifest)
    return Bundle(
        folder=folder,
        manifest=manifest,
        sha256=hashlib.sha256(manifest_bytes).hexdigest(),
        tokenizer=contents[TOKENIZER],
        graph=contents[GRAPH],
    )


def read_files(folder: Path, manifest: Manifest) -> dict[str, bytes]:
    """Every file of a bundle but its manifest, verified.

    Raises:
        BundleError: a file is missing, changed or cut short.
    """
    return {name: _read_verified(folder / name, expected) for name, expected in manifest.files.items()}


def write(folder: Path, manifest: Manifest, files: Mapping[str, bytes], *, overwrite: bool = False) -> None:
    """Writes a bundle beside its destination and renames it into place, so that no reader sees half of one.

    ``manifest.files`` is filled in here, from the bytes themselves.

    Raises:
        BundleError: the folder exists and ``overwrite`` is false, or it exists and is no bundle.
    """
    if folder.exists() and not overwrite:
        raise BundleError(folder, "already exists; choose another folder or pass --overwrite=true")
    if folder.exists() and any(folder.iterdir()) and not (folder / MANIFEST).is_file():
        raise BundleError(folder, "exists and is not a bundle, so it is not replaced; choose another folder")
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}
    complete = manifest.model_copy(update={"files": hashes})
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        for name, content in files.items():
            _write_durably(temporary / name, content)
        _write_durably(temporary / MANIFEST, (complete.model_dump_json(indent=2) + "\n").encode())
        temporary.chmod(0o755)  # mkdtemp makes it readable by its owner alone; a served bundle is read by others
        _swap(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _swap(temporary: Path, folder: Path) -> None:
    if not folder.exists():
        temporary.rename(folder)
        return
    retired = Path(tempfile.mkdtemp(prefix=f".{folder.name}.old.", dir=folder.parent))
    folder.rename(retired / folder.name)
    temporary.rename(folder)
    shutil.rmtree(retired, ignore_errors=True)


def _write_durably(path: Path, content: bytes) -> None:
    with path.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise BundleError(path, "is missing") from None
    except OSError as error:
        raise BundleError(path, f"cannot be read ({error.strerror})") from error


def _read_verified(path: Path, expected: str) -> bytes:
    content = _read_file(path)
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise BundleError(
            path,
            f"was changed or cut short after the bundle was written: its SHA-256 is {found}, "
            f"the manifest says {expected}; export the bundle again",
        )
    return content


def _parse_manifest(path: Path, content: bytes) -> Manifest:
    try:
        raw = json.loads(content)
    except ValueError as error:
        raise BundleError(path, f"is not valid JSON ({error})") from None
    version = raw.get("format_version") if isinstance(raw, dict) else None
    if not isinstance(version, int):
        raise BundleError(path, "has no format_version, so it is no bundle's manifest")
    if version > FORMAT_VERSION:
        raise BundleError(
            path,
            f"is of format {version} and this version of the project reads up to {FORMAT_VERSION}: upgrade the project",
        )
    try:
        manifest = Manifest.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise BundleError(path, f"is invalid at {place or 'the top level'}: {first['msg']}") from None
    for name in manifest.files:
        if Path(name).name != name:
            raise BundleError(path, f"names a file outside the bundle: {name!r}")
    for name in REQUIRED:
        if name not in manifest.files:
            raise BundleError(path, f"names no {name} among its files")
    return manifest
