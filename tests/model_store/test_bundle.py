"""A bundle is whole or refused, and the message names the file and the reason."""

import hashlib
import json
import shutil

import pytest

from model_store import BundleError, Evaluation, SentimentModel
from model_store import bundle as bundles
from model_store.evaluation import Measurement
from tests.model_store.older_bundles import FORMAT_1, FORMAT_2, older_bundle

EVALUATION = Evaluation(metrics=[Measurement(data="some.csv", rows=8, metric="accuracy", value=0.75)])


@pytest.fixture
def copy(tiny_bundle, tmp_path):
    return shutil.copytree(tiny_bundle, tmp_path / "copy")


@pytest.fixture
def measured(copy):
    bundles.rewrite(bundles.read(copy), evaluation=EVALUATION)
    return copy


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
    edit_manifest(copy, format_version=6, something_new=True)
    with pytest.raises(BundleError, match=r"manifest.json: is of format 6 .* reads up to 5: upgrade the project"):
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
    with pytest.raises(BundleError, match=r"names a file that no bundle has: '\.\./secret'"):
        SentimentModel.load(copy)


def test_an_existing_bundle_is_kept_unless_told(copy):
    content = bundles.read(copy)
    with pytest.raises(BundleError, match="already exists"):
        bundles.write(copy, content.manifest, {"model.onnx": content.graph, "tokenizer.json": content.tokenizer})
    files = {"model.onnx": content.graph, "tokenizer.json": content.tokenizer}
    bundles.write(copy, content.manifest.replace(version="9"), files, overwrite=True)
    assert bundles.read(copy).manifest.version == "9"
    assert [path.name for path in copy.parent.iterdir()] == ["copy"]  # nothing is left behind


def test_a_folder_that_is_no_bundle_is_never_replaced(copy, tmp_path):
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("years of work")
    content = bundles.read(copy)
    files = {"model.onnx": content.graph, "tokenizer.json": content.tokenizer}
    with pytest.raises(BundleError, match="is not a bundle, so it is not replaced"):
        bundles.write(precious, content.manifest, files, overwrite=True)
    assert (precious / "thesis.txt").read_text() == "years of work"


def test_a_write_that_fails_leaves_nothing(copy, tmp_path, monkeypatch):
    content = bundles.read(copy)
    files = {"model.onnx": content.graph, "tokenizer.json": content.tokenizer}

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bundles, "atomic_write", full)
    with pytest.raises(OSError, match="No space left"):
        bundles.write(tmp_path / "new", content.manifest, files)
    assert {path.name for path in tmp_path.iterdir()} == {"copy"}


def test_a_tampered_evaluation_is_noticed(measured):
    path = measured / "evaluation.json"
    path.write_text(path.read_text().replace('"value": 0.75', '"value": 0.95'))
    with pytest.raises(BundleError, match=r"evaluation\.json: was changed or cut short"):
        bundles.read(measured)


@pytest.mark.parametrize("length", [0, 1, 100, -1, -3])
def test_a_torn_evaluation_is_noticed(measured, length):
    path = measured / "evaluation.json"
    torn = path.read_bytes()[:length]
    path.write_bytes(torn)
    if length == -1:  # the line's end alone
        assert bundles.read(measured).evaluation == EVALUATION
        return
    with pytest.raises(BundleError, match=r"evaluation\.json: was changed or cut short"):
        bundles.read(measured)


@pytest.mark.parametrize("content", ["[]", "{}", "null", "3", '{"sha256": 3}', '{"sha256": "0", "evaluation": {}}'])
def test_json_that_is_not_an_evaluation_is_noticed(measured, content):
    (measured / "evaluation.json").write_text(content)
    with pytest.raises(BundleError, match=r"evaluation\.json: was changed or cut short"):
        bundles.read(measured)


def test_another_bundles_evaluation_is_noticed(measured, tiny_8_bit_bundle):
    shutil.copy(tiny_8_bit_bundle / "evaluation.json", measured / "evaluation.json")
    with pytest.raises(BundleError, match=r"evaluation\.json: belongs to another bundle"):
        bundles.read(measured)


def test_a_bundle_without_an_evaluation_has_an_empty_one(measured):
    (measured / "evaluation.json").unlink()
    assert bundles.read(measured).evaluation == Evaluation()


def test_measuring_does_not_change_the_identity(copy):
    before, files = bundles.read(copy), ("manifest.json", "model.onnx", "tokenizer.json")
    contents = [(copy / name).read_bytes() for name in files]
    bundles.rewrite(before, evaluation=EVALUATION)
    after = bundles.read(copy)
    assert (after.sha256, after.manifest) == (before.sha256, before.manifest)
    assert [(copy / name).read_bytes() for name in files] == contents
    assert after.evaluation == EVALUATION
    assert "75.00%" in (copy / "README.md").read_text()


def test_a_manifest_that_does_not_fit_its_files_is_not_written(copy, tmp_path):
    content = bundles.read(copy)
    with pytest.raises(ValueError, match="hashes are not those of the files"):
        bundles.write(tmp_path / "new", content.manifest, {"model.onnx": b"", "tokenizer.json": content.tokenizer})
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("manifest", [FORMAT_1, FORMAT_2])
def test_older_formats_load_and_say_how_to_upgrade(tmp_path, caplog, manifest):
    folder = older_bundle(tmp_path, manifest)
    model = SentimentModel.load(folder)
    old = json.loads(manifest.read_text())
    assert model.predict(["fine"])[0].score > 0
    assert model.sha256 == hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
    assert f"is of format {old['format_version']}; python -m model_store upgrade" in caplog.text
    metrics = [metric.model_dump(exclude_unset=True) for metric in model.evaluation.metrics]
    assert metrics == old["metrics"]


def test_fields_of_format_2_have_their_new_names(tmp_path):
    bundle = bundles.read(older_bundle(tmp_path, FORMAT_2))
    old = json.loads(FORMAT_2.read_text())
    assert [family.model_dump() for family in bundle.evaluation.behavior] == old["behaviour"]
    trained_on = [figure.training_data for figure in bundle.evaluation.comparison]
    assert trained_on == [figure["learnt_from"] for figure in old["comparison"]]
    assert bundle.evaluation.intended_use == old["intended_use"]
    earlier = bundle.manifest.training.initialized_from
    assert earlier.command == old["training"]["began_with"]["command"]
    assert earlier.initialized_from.epochs == old["training"]["began_with"]["began_with"]["epochs"]


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "README.md"])
def test_a_changed_file_of_an_older_bundle_is_refused(tmp_path, name):
    folder = older_bundle(tmp_path)
    (folder / name).write_bytes((folder / name).read_bytes() + b" ")
    with pytest.raises(BundleError, match=f"{name}: was changed or cut short"):
        bundles.read(folder)


def test_texts_of_an_older_8_bit_bundle_are_computed_one_by_one(tiny_8_bit_bundle, tmp_path):
    older = shutil.copytree(tiny_8_bit_bundle, tmp_path / "older")
    bundle = bundles.read(older)
    bundles.rewrite(bundle, manifest=bundle.manifest.replace(format_version=3))
    runs = []
    for folder, expected in ((tiny_8_bit_bundle, 1), (older, 5)):
        model = SentimentModel.load(folder)
        texts = [model.tokenize("fine")] * 5
        model.predict_tokenized(texts, before_each_run=lambda: runs.append(1))
        assert len(runs) == expected
        runs.clear()
