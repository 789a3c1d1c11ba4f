"""Bundles of formats 1 and 2, made of stored manifests and the shipped model's tokenizer, graph and architecture."""

import hashlib
import json
from pathlib import Path

from model_store import bundle as bundles

FORMAT_1 = Path(__file__).with_name("first_manifest.json")
FORMAT_2 = Path(__file__).with_name("second_manifest.json")


def older_bundle(parent: Path, manifest: Path = FORMAT_2) -> Path:
    """A bundle whose manifest is the stored one, with the hashes of its files."""
    folder = parent / "older"
    folder.mkdir()
    files = {name: (bundles.DEFAULT / name).read_bytes() for name in ("model.onnx", "tokenizer.json")}
    files["README.md"] = b"# A card\n"
    for name, content in files.items():
        (folder / name).write_bytes(content)
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    shipped = json.loads((bundles.DEFAULT / "manifest.json").read_text(encoding="utf-8"))
    stored = json.loads(manifest.read_text(encoding="utf-8"))
    content = {**stored, "files": hashes, "architecture": shipped["architecture"]}
    (folder / "manifest.json").write_text(json.dumps(content), encoding="utf-8")
    return folder
