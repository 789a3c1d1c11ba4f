"""A bundle is whole or refused, and the message names the file and the reason."""

import json
import shutil

import pytest

from model_store import BundleError, SentimentModel
from model_store import bundle as bundles


@pytest.fixture
def copy(tiny_bundle, tmp_path):
    return shutil.copytree(tiny_bundle, tmp_path / "copy")


def edit_manifest(folder, **changes):
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "README.md"])
def test_a_changed_file_is_refused(copy, name):
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(BundleError, match=f"{name}: was changed or cut short"):
        SentimentModel.load(copy)


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "README.md"])
def test_a_truncated_file_is_refused(copy, name):
    (copy / name).write_bytes((copy / name).read_bytes()[:-10])
    with pytest.raises(BundleError, match=f"{name}: was changed or cut short"):
        SentimentModel.load(copy)


@pytest.mark.parametrize("name", ["manifest.json", "model.onnx", "tokenizer.json"])
def test_a_missing_file_is_named(copy, name):
    (copy / name).unlink()
    with pytest.raises(BundleError, match=f"{name}: is missing"):
        SentimentModel.load(copy)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(BundleError, match="nowhere: there is no such folder"):
        SentimentModel.load(tmp_path / "nowhere")


def test_a_newer_format_asks_for_an_upgrade(copy):
    edit_manifest(copy, format_version=3, something_new=True)
    with pytest.raises(BundleError, match=r"manifest.json: is of format 3 .* reads up to 2: upgrade the project"):
        SentimentModel.load(copy)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "is not valid JSON"),
        ("[]", "has no format_version"),
        ('{"format_version": 1}', "is invalid at name"),
        ('{"format_version": "1"}', "has no format_version"),
    ],
)
def test_a_manifest_that_is_none_is_refused(copy, content, reason):
    (copy / "manifest.json").write_text(content)
    with pytest.raises(BundleError, match=f"manifest.json: {reason}"):
        SentimentModel.load(copy)


def test_a_manifest_cannot_point_outside_its_folder(copy):
    files = json.loads((copy / "manifest.json").read_text())["files"]
    edit_manifest(copy, files={**files, "../secret": "0" * 64})
    with pytest.raises(BundleError, match="names a file outside the bundle"):
        SentimentModel.load(copy)


def test_an_existing_bundle_is_kept_unless_told(copy):
    content = bundles.read(copy)
    with pytest.raises(BundleError, match="already exists"):
        bundles.write(copy, content.manifest, {})
    files = {"model.onnx": content.graph, "tokenizer.json": content.tokenizer}
    bundles.write(copy, content.manifest.model_copy(update={"version": "9"}), files, overwrite=True)
    assert bundles.read(copy).manifest.version == "9"
    assert [path.name for path in copy.parent.iterdir()] == ["copy"]  # nothing is left behind


def test_a_folder_that_is_no_bundle_is_never_replaced(copy, tmp_path):
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("years of work")
    with pytest.raises(BundleError, match="is not a bundle, so it is not replaced"):
        bundles.write(precious, bundles.read(copy).manifest, {}, overwrite=True)
    assert (precious / "thesis.txt").read_text() == "years of work"


def test_a_write_that_fails_leaves_nothing(copy, tmp_path, monkeypatch):
    content = bundles.read(copy)
    files = {"model.onnx": content.graph, "tokenizer.json": content.tokenizer}

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bundles, "_write_durably", full)
    with pytest.raises(OSError, match="No space left"):
        bundles.write(tmp_path / "new", content.manifest, files)
    assert {path.name for path in tmp_path.iterdir()} == {"copy"}
