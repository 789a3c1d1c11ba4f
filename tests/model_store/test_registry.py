"""The store of bundles: whole after a kill, a full disk and concurrent adds, and readable by BentoML itself."""

import io
import json
import os
import resource
import signal
import subprocess
import sys
import tarfile
from concurrent.futures import ThreadPoolExecutor

import pytest

from model_store import BundleError, Evaluation, SentimentModel, registry, registry_commands, stages
from model_store import bundle as bundles
from model_store.cli import main
from model_store.evaluation import Measurement
from model_store.tags import Tag, TagError

FIGURE = Measurement(data="some.csv", rows=8, metric="accuracy", value=0.75)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def another_bundle(tiny_bundle, tmp_path):
    """The same model under another description, so with another hash, and with a figure."""
    content = bundles.read(tiny_bundle)
    files = {bundles.TOKENIZER: content.tokenizer, bundles.GRAPH: content.graph}
    manifest = content.manifest.replace(description="Another one.")
    bundles.write(tmp_path / "another", manifest, files, evaluation=Evaluation(metrics=[FIGURE]))
    return tmp_path / "another"


def tags():
    return [str(model.tag) for model in registry.stored_models()]


def test_a_bundle_is_stored_under_its_name_and_version_and_found_by_them(tiny_bundle):
    assert str(registry.add(tiny_bundle)) == "tiny:1"
    assert SentimentModel.load("tiny:1").sha256 == SentimentModel.load(tiny_bundle).sha256
    assert bundles.resolve("tiny:latest") == bundles.resolve("tiny:1")


def test_the_same_bundle_again_changes_nothing_and_another_one_needs_another_version(tiny_bundle, another_bundle):
    registry.add(tiny_bundle)
    assert str(registry.add(tiny_bundle)) == "tiny:1"
    with pytest.raises(BundleError, match="tiny:1 is stored already and is another model"):
        registry.add(another_bundle)
    registry.add(another_bundle, tag=Tag.parse("tiny:2"))
    assert tags() == ["tiny:1", "tiny:2"]
    assert bundles.resolve("tiny:latest") == bundles.resolve("tiny:2")


def test_a_folder_of_that_name_comes_before_a_tag(tmp_path, monkeypatch):
    (tmp_path / "tiny:1").mkdir()
    monkeypatch.chdir(tmp_path)
    assert str(bundles.resolve("tiny:1")) == "tiny:1"


@pytest.mark.parametrize("name", ["", "Big:1", "a:", "a:1:2", "-a:1", "a" * 64 + ":1"])
def test_what_bentoml_would_refuse_is_not_a_tag(name):
    with pytest.raises(TagError, match="is not a tag"):
        Tag.parse(name)


def test_an_unknown_tag_names_those_there_are(tiny_bundle):
    registry.add(tiny_bundle)
    with pytest.raises(BundleError, match="holds no tiny:2, but tiny:1"):
        SentimentModel.load("tiny:2")


def test_production_is_the_model_last_promoted_and_rolls_back_to_the_one_before(tiny_bundle, another_bundle):
    first, second = registry.add(tiny_bundle), registry.add(another_bundle, tag=Tag("tiny", "2"))
    with pytest.raises(BundleError, match=r"no model is in production; promote one with: .* promote TAG"):
        bundles.resolve("production")
    registry.promote(first, "production")
    registry.promote(second, "production")
    registry.promote(second, "production")
    assert bundles.resolve("production") == bundles.resolve("tiny:2")
    assert registry.roll_back("production") == first
    assert bundles.resolve("production") == bundles.resolve("tiny:1")
    with pytest.raises(BundleError, match="tiny:1 is the first model in production"):
        registry.roll_back("production")


def test_a_damaged_file_of_stages_is_named(tiny_bundle):
    registry.add(tiny_bundle)
    stages.stages_file().write_text('{"production": [{"tag": "no tag"}]}')
    with pytest.raises(BundleError, match=r"stages.json: is damaged at production.0.tag"):
        bundles.resolve("production")


def test_a_damaged_model_is_listed_as_such_and_cannot_be_promoted(tiny_bundle, capsys):
    tag = registry.add(tiny_bundle)
    with (bundles.resolve("tiny:1") / "model.onnx").open("r+b") as stream:
        stream.truncate(100)
    assert main(["list", "--json"]) == 0
    (listed,) = json.loads(capsys.readouterr().out)
    assert "model.onnx: was changed or cut short" in listed["problem"]
    with pytest.raises(BundleError, match="was changed or cut short"):
        registry.promote(tag, "production")


def test_a_full_disk_leaves_the_store_as_it_was(tiny_bundle, another_bundle, home):
    registry.add(tiny_bundle)
    before = sorted(path.relative_to(home) for path in home.rglob("*"))
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, limits[1]))
    try:
        with pytest.raises(BundleError, match=r"cannot be written to .*; it is as it was before"):
            registry.add(another_bundle, tag=Tag("tiny", "2"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert sorted(path.relative_to(home) for path in home.rglob("*")) == before


KILLED = """
import os, signal, sys
from pathlib import Path
from model_store import registry
from model_store.tags import Tag

sync, left = os.fsync, int(sys.argv[2])

def killed(descriptor):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    sync(descriptor)

os.fsync = killed
registry.add(Path(sys.argv[1]), tag=Tag("tiny", "2"))
"""


@pytest.mark.slow
def test_a_killed_add_leaves_a_whole_store_and_the_next_one_works(tiny_bundle, home):
    registry.add(tiny_bundle)
    outcomes = set()
    for syncs in (1, 4, 8, 12, 13, 1, 2):  # an add syncs 14 files and folders, those of "latest" after the renaming
        done = run("-c", KILLED, str(tiny_bundle), str(syncs))
        assert done.returncode == -signal.SIGKILL
        models = registry.stored_models()
        assert all(model.bundle for model in models)
        outcomes.add(len(models))
    assert outcomes == {1, 2}
    registry.add(tiny_bundle, tag=Tag("tiny", "2"))
    assert tags() == ["tiny:1", "tiny:2"]
    assert [path.name for path in home.iterdir()] == ["models"]


@pytest.mark.slow
def test_concurrent_adds_all_succeed(tiny_bundle):
    names = ["tiny:1", "tiny:1", "tiny:2", "tiny:3"]
    with ThreadPoolExecutor(len(names)) as pool:
        done = pool.map(lambda name: run("-m", "model_store", "add", str(tiny_bundle), "--tag", name), names)
    assert [add.returncode for add in done] == [0, 0, 0, 0]
    assert tags() == ["tiny:1", "tiny:2", "tiny:3"]
    assert all(model.bundle for model in registry.stored_models())


def run(*arguments):
    command = [sys.executable, *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 - ourselves


BENTOML = """
import sys, bentoml
stored, = bentoml.models.list()
print(stored.tag, stored.info.labels["labels"], stored.info.metadata["figures"]["some.csv"]["accuracy"], sep="|")
bentoml.models.export_model(stored.tag, sys.argv[1])
"""

BENTOML_IMPORT = """
import sys, bentoml
print(bentoml.models.import_model(sys.argv[1]).tag, bentoml.models.get("tiny:latest").tag)
"""


@pytest.mark.slow
def test_bentoml_reads_what_is_stored_and_each_imports_what_the_other_exports(another_bundle, tmp_path, monkeypatch):
    tag = registry.add(another_bundle)
    exported = tmp_path / "theirs.bentomodel"
    printed = run("-c", BENTOML, str(exported)).stdout
    assert printed.strip() == "tiny:1|negative, neutral, positive|0.75"
    ours = registry.export_file(tag, tmp_path)
    assert ours.name == "tiny-1.bentomodel"
    for home, file in (("second", exported), ("third", ours)):
        monkeypatch.setenv("BENTOML_HOME", str(tmp_path / home))
        assert registry.import_file(file) == tag
        assert SentimentModel.load("tiny:1").evaluation.metrics == [FIGURE]
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "fourth"))
    printed = run("-c", BENTOML_IMPORT, str(ours)).stdout
    assert printed.split() == ["tiny:1", "tiny:1"]
    assert SentimentModel.load("tiny:1").evaluation.metrics == [FIGURE]


def archive(path, *members):
    with tarfile.open(path, "w:xz") as tar:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def test_a_file_that_is_no_exported_bundle_is_refused(tmp_path, home):
    (tmp_path / "text.bentomodel").write_text("not an archive")
    with pytest.raises(BundleError, match=r"text.bentomodel: is not a model that was exported"):
        registry.import_file(tmp_path / "text.bentomodel")
    with pytest.raises(BundleError, match="holds no bundle"):
        registry.import_file(archive(tmp_path / "other.bentomodel", ("model.yaml", b"name: other")))
    with pytest.raises(BundleError, match="is not a model that was exported"):
        registry.import_file(archive(tmp_path / "evil.bentomodel", ("../evil", b"content")))
    with pytest.raises(BundleError, match="nowhere: cannot be read"):
        registry.import_file(tmp_path / "nowhere")
    assert not home.exists()


def test_the_table_has_a_row_for_a_model_of_many_labels_too(tiny_bundle, capsys, monkeypatch):
    monkeypatch.setattr(registry_commands, "SHOWN_LABELS", 1)
    assert main(["add", str(tiny_bundle), "--tag", "mine:1"]) == 0
    capsys.readouterr()
    assert main(["list"]) == 0
    cells = [line.split("│")[3].strip() for line in capsys.readouterr().out.splitlines() if line.startswith("│")]
    assert " ".join(cells).strip() == "negative and 2 more"


def test_the_commands_say_what_to_do_next(tiny_bundle, tmp_path, capsys):
    assert main(["list"]) == 0
    assert "python -m model_store add BUNDLE" in capsys.readouterr().out
    assert main(["add", str(tiny_bundle), "--tag", "mine:1"]) == 0
    assert "promote mine:1 --stage production" in capsys.readouterr().out
    assert main(["promote", "mine:1"]) == 0
    assert main(["export", "production", str(tmp_path / "one.bentomodel")]) == 0
    assert main(["import", str(tmp_path / "one.bentomodel"), "--tag", "copy:1"]) == 0
    assert main(["promote", "copy:1"]) == 0
    assert main(["rollback"]) == 0
    assert "mine:1 is in production again" in capsys.readouterr().out
    assert main(["list"]) == 0
    assert os.linesep.join(tags()) == "copy:1\nmine:1"
    assert main(["add", str(tiny_bundle), "--tag", "MINE:1"]) == 1
    assert "MINE:1 is not a tag" in capsys.readouterr().err
