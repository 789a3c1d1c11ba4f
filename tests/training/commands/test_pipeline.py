"""The pipeline: promotes what is not worse, does nothing twice, and tells a scheduler."""

import json
from dataclasses import replace

import pytest

from model_store import bundle as bundles
from model_store import registry
from tests.support.paths import SAMPLE
from training.commands.main import COMMANDS
from training.commands.pipeline import WORSE, PipelineOptions, as_arguments, key_of, main, reason_against

CONFIG = """
data: {min_count: 1, batch_size: 16, cache: false}
model: {embedding_size: 16, hidden_size: 8, layers: 1, learning_rate: 1.0e-2}
trainer: {accelerator: cpu, max_epochs: 8, enable_model_summary: false}
"""


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "home"))


@pytest.fixture
def options():
    return PipelineOptions(SAMPLE / "test.csv", name="mine", reading={})


def status(arguments):
    try:
        main([str(argument) for argument in arguments])
    except SystemExit as end:
        return end.code
    return 0


@pytest.mark.slow
@pytest.mark.skipif("inspect" not in COMMANDS, reason="the command inspect is not there")
def test_a_model_is_promoted_unless_it_is_worse_and_nothing_is_done_twice(tmp_path, tiny_bundle):
    (tmp_path / "tiny.yaml").write_text(CONFIG)
    arguments = [SAMPLE / "train.csv", "--name=mine", "--config", tmp_path / "tiny.yaml", "--to", tmp_path / "runs"]

    def report():
        (folder,) = (tmp_path / "runs").iterdir()
        return json.loads((folder / "report.json").read_text())

    # Nothing is in production, so it is compared with the model that ships, which a tiny one cannot equal.
    assert status(arguments) == WORSE
    first = report()
    assert first["steps_done_now"] == ["Inspect", "Split", "Train", "Test", "Compare"]
    assert (first["promoted"], first["compared_with"]) == (False, "default")
    assert first["difference"]["high"] < 0
    assert [str(model.tag) for model in registry.stored_models()] == [first["model"]]

    assert status(arguments) == WORSE
    assert report()["steps_done_now"] == []

    registry.promote(registry.add(tiny_bundle), "production")  # it was not trained
    assert status(arguments) == 0
    last = report()
    assert last["steps_done_now"] == ["Compare"]
    assert (last["promoted"], last["compared_with"]) == (True, "tiny:1")
    assert bundles.resolve("production") == bundles.resolve(last["model"])

    assert status(arguments) == 0
    assert report() == {**last, "steps_done_now": [], "created": report()["created"]}


def test_a_model_is_worse_if_the_whole_interval_says_so_or_reaches_below_the_bound(options):
    assert reason_against({"low": -0.05, "high": 0.001}, options) is None
    assert reason_against({"low": -0.05, "high": -0.001}, options) == "its macro_f1 is lower, by the whole interval"
    strict = replace(options, max_loss=0.02)
    assert reason_against({"low": -0.01, "high": 0.03}, strict) is None
    assert reason_against({"low": -0.05, "high": 0.03}, strict) == "its macro_f1 may be lower by more than 0.02"


def test_a_run_is_known_by_its_files_and_by_what_decides_the_model(options, tmp_path):
    copy = tmp_path / "copy.csv"
    copy.write_bytes(options.data.read_bytes())
    assert key_of(replace(options, data=copy)) == key_of(options)
    assert key_of(replace(options, stage="staging", metric="accuracy", max_loss=0.1)) == key_of(options)
    copy.write_bytes(options.data.read_bytes() + b"one more,neutral\n")
    changed = [replace(options, data=copy), replace(options, seed=1), replace(options, reading={"format": "csv"})]
    assert len({key_of(other) for other in (options, *changed)}) == 4


def test_reading_options_are_passed_on_as_they_were_given():
    given = {"text_column": "body", "ptb_tokens": True, "label_map": {"0": "bad"}}
    assert as_arguments(given) == ["--text_column=body", "--ptb_tokens", '--label_map={"0": "bad"}']


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nowhere.csv", "--name=mine"], 1, "nowhere.csv: there is no such file"),
        ([SAMPLE / "test.csv", "--name=Mine"], 1, "Mine:1 is not a tag"),
        ([SAMPLE / "test.csv", "--name=mine", "--max_loss=2"], 2, "--max_loss is 2.0; expected a share"),
        ([SAMPLE / "test.csv", "--name=mine", "--start=mine:7"], 1, "holds no mine:7"),
    ],
)
def test_what_can_be_known_before_the_work_is_said_before_it(arguments, code, message, tmp_path, capsys):
    assert status([*arguments, "--to", tmp_path / "runs"]) == code
    assert message in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()
