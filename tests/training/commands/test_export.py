"""``python -m training export``: on which texts it calibrates, and from which score on it is sure."""

import csv
import json
import shlex

import numpy as np
import pytest
import pytorch_lightning as lightning
import torch

from model_store import SentimentModel
from model_store import bundle as bundles
from model_store.drift import measure_reference
from model_store.hashing import file_sha256
from model_store.manifest import Training
from tests.support.checkpoints import READING, write_checkpoint
from tests.support.paths import SAMPLE
from training.commands.main import main
from training.data.tokenization import subword_pipeline
from training.fit.task import SentimentTask

pytestmark = pytest.mark.slow

FINE = {"0": "negative", "1": "negative", "2": "neutral", "3": "positive", "4": "positive"}
DIGITS = {"negative": "0", "neutral": "2", "positive": "4"}
FILES = ("model.onnx", "tokenizer.json")
INVISIBLE = "\u200b\u2060"  # sub-word pipelines drop such characters, so a text of nothing else has no token


@pytest.fixture(scope="module")
def checkpoint(sample_texts, tmp_path_factory):
    """An untrained network over sub-words."""
    lightning.seed_everything(3)
    labels = ["negative", "neutral", "positive"]
    pipeline = subword_pipeline(sample_texts, size=300).to_str()
    task = SentimentTask(labels, pipeline, embedding_size=8, hidden_size=6, layers=1).eval()
    path = tmp_path_factory.mktemp("run") / "best.ckpt"
    data = {"label_map": FINE, "on_bad_row": "stop", "validation": str(SAMPLE / "validation.csv"), "sources": []}
    machine = {"processor": "Abacus 3", "cores": 2, "accelerator": None, "devices": 1}
    run = {"seconds": 3725.2, "machine": machine}
    return write_checkpoint(path, task, data={**READING, **data, "max_tokens": 512}, run=run)


@pytest.fixture(scope="module")
def rows():
    with (SAMPLE / "validation.csv").open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def exported(checkpoint, folder, *arguments):
    main(["export", str(checkpoint), "--to", str(folder), *map(str, arguments)])
    return SentimentModel.load(folder)


@pytest.fixture
def trees(tmp_path, rows):
    """The first 40 rows as trees of one leaf each, with the treebank's digits for labels."""
    path = tmp_path / "trees" / "dev.txt"
    path.parent.mkdir()
    lines = (f"({DIGITS[row['label']]} {row['text'].split()[0].strip('(),')})\n" for row in rows[:40])
    path.write_text("".join(lines), encoding="utf-8")
    return path


@pytest.fixture
def named(tmp_path, rows):
    """The other 20 rows as JSON lines with named labels, and a text that nobody can see."""
    path = tmp_path / "named" / "dev.jsonl"
    path.parent.mkdir()
    entries = [*rows[40:], {"text": INVISIBLE, "label": "neutral"}]
    path.write_text("".join(json.dumps(row) + "\n" for row in entries), encoding="utf-8")
    return path


def test_it_calibrates_on_the_texts_of_several_files_of_different_formats(checkpoint, trees, named, tmp_path):
    model = exported(checkpoint, tmp_path / "b", "--validation", f"[{trees}, {named}]", "--target_accuracy", "0.4")
    calibration = model.manifest.calibration
    assert calibration.data == "trees/dev.txt + named/dev.jsonl"
    measured = {one.data: one.rows for one in model.evaluation.risk_coverage}
    assert measured == {calibration.data: 60, "trees/dev.txt": 40, "named/dev.jsonl": 20}
    assert calibration.rows == 60
    assert {one.data for one in model.evaluation.metrics} == {"trees/dev.txt", "named/dev.jsonl"}


def test_the_bundle_carries_what_it_makes_of_its_validation_texts(checkpoint, rows, tmp_path):
    assert exported(checkpoint, tmp_path / "few").evaluation.reference is None  # 60 texts tell too little
    files = f"[{SAMPLE / 'train.csv'}, {SAMPLE / 'validation.csv'}]"
    model = exported(checkpoint, tmp_path / "many", "--validation", files)
    with (SAMPLE / "train.csv").open(encoding="utf-8") as stream:
        texts = [row["text"] for row in [*csv.DictReader(stream), *rows]]
    expected = measure_reference(model, texts, data="sample/train.csv + sample/validation.csv")
    assert model.evaluation.reference == expected


def test_an_invisible_text_is_left_out_of_calibration_and_metrics(checkpoint, rows, tmp_path):
    path = tmp_path / "with" / "dev.csv"
    path.parent.mkdir()
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, ["text", "label"])
        writer.writeheader()
        writer.writerows({"text": row["text"], "label": row["label"]} for row in rows)
        writer.writerow({"text": INVISIBLE, "label": "neutral"})
    own = exported(checkpoint, tmp_path / "own")
    seen = exported(checkpoint, tmp_path / "seen", "--validation", path)
    assert seen.manifest.calibration.rows == 60
    assert seen.manifest.calibration.temperature == own.manifest.calibration.temperature
    assert [(one.metric, one.value, one.rows) for one in seen.evaluation.metrics] == [
        (one.metric, one.value, one.rows) for one in own.evaluation.metrics
    ]


def test_as_many_answers_are_confident_as_reach_the_target_accuracy(checkpoint, rows, tmp_path):
    texts = [row["text"] for row in rows]
    answers = exported(checkpoint, tmp_path / "whole").predict(texts)
    scores = np.array([answer.score for answer in answers])
    right = np.array([answer.label == row["label"] for answer, row in zip(answers, rows, strict=True)])
    groups = {score: right[scores >= score] for score in scores if (scores >= score).sum() >= 5}
    target = max(group.mean() for group in groups.values())
    assert target > right.mean()  # or every answer would be confident
    count = max(len(group) for group in groups.values() if group.mean() == target)
    model = exported(checkpoint, tmp_path / "b", "--target_accuracy", target)
    confident = np.array([answer.confident for answer in model.predict(texts)])
    assert confident.sum() == count
    assert right[confident].mean() == target
    (measured,) = model.evaluation.risk_coverage
    assert measured.confident.coverage == pytest.approx(count / 60)
    assert measured.confident.accuracy == pytest.approx(target)


def test_out_of_reach_and_always_reached_are_said_on_the_card(checkpoint, tmp_path):
    never = exported(checkpoint, tmp_path / "never", "--target_accuracy", "0.95")
    assert never.manifest.calibration.threshold is None
    assert never.predict(["fine"])[0].confident is False
    assert "No answer is confident" in (tmp_path / "never" / "README.md").read_text()
    always = exported(checkpoint, tmp_path / "always", "--target_accuracy", "0.1")
    assert always.manifest.calibration.threshold == 0.0
    assert always.predict(["fine"])[0].confident is True
    assert "Every answer is confident" in (tmp_path / "always" / "README.md").read_text()


@pytest.mark.parametrize("name", ["final [v2]", "[/v2]"])
def test_it_says_how_to_look_at_the_bundle_whatever_its_name(checkpoint, tmp_path, monkeypatch, capsys, name):
    monkeypatch.setenv("COLUMNS", "500")
    exported(checkpoint, tmp_path / name, "--calibrate", "false")
    assert shlex.split(capsys.readouterr().err.splitlines()[-1])[-1] == str(tmp_path / name)


def test_without_calibration_nothing_says_whether_it_is_sure(checkpoint, tmp_path):
    model = exported(checkpoint, tmp_path / "b", "--no_calibrate", "--test", SAMPLE / "test.csv")
    assert model.manifest.calibration.target_accuracy is None
    assert model.predict(["fine"])[0].confident is None
    (measured,) = model.evaluation.risk_coverage
    assert (measured.data, measured.rows, measured.confident) == ("sample/test.csv", 60, None)


def test_a_bundle_may_compute_in_8_bits_without_rare_tokens(checkpoint, rows, tmp_path, capsys):
    content = torch.load(checkpoint, weights_only=True)
    train = SAMPLE / "train.csv"
    content["datamodule_hyper_parameters"]["train"] = str(train)
    read = {"part": "train", "name": "sample/train.csv", "rows": 480, "sha256": file_sha256(train)}
    content["SentimentData"] = {"files": [read]}
    path = tmp_path / "best.ckpt"
    torch.save(content, path)
    whole = exported(path, tmp_path / "whole")
    capsys.readouterr()
    small = exported(path, tmp_path / "small", "--arithmetic", "int8", "--min_count", "20", "--storage", "int8")
    said = " ".join(capsys.readouterr().err.split())
    left_out = whole.manifest.tokenizer.vocabulary_size - small.manifest.tokenizer.vocabulary_size
    assert left_out > 50
    assert f"Left out {left_out:,} rare tokens" in said
    assert "in 32 bits equals the network to" in said
    assert "in 8 changes a probability by 0.0" in said
    assert (whole.manifest.arithmetic, small.manifest.arithmetic) == ("float32", "int8")
    assert all(
        (tmp_path / "small" / name).stat().st_size < (tmp_path / "whole" / name).stat().st_size for name in FILES
    )
    answers = small.predict([row["text"] for row in rows])
    assert all(sum(answer.scores.values()) == pytest.approx(1) for answer in answers)


def test_a_count_below_zero_is_refused_before_any_work(checkpoint, tmp_path, capsys):
    with pytest.raises(SystemExit):
        exported(checkpoint, tmp_path / "b", "--min_count", "-1")
    assert "--min_count is -1, but it should be 0, which keeps every token, or more" in capsys.readouterr().err


def test_the_card_names_the_run_whose_weights_it_began_with(checkpoint, tmp_path):
    content = torch.load(checkpoint, weights_only=True)
    content["run"]["began_with"] = {"command": "fit", "seed": 5, "files": [], "epochs": 2, "sources": ["Letters"]}
    torch.save(content, tmp_path / "second.ckpt")
    exported(tmp_path / "second.ckpt", tmp_path / "b")
    manifest = bundles.read(tmp_path / "b").manifest
    first = Training(command="fit", files=[], epochs=2, seed=5, sources=["Letters"])
    assert manifest.training.initialized_from == first
    assert "began with the weights of an earlier run" in (tmp_path / "b" / "README.md").read_text()


def test_the_card_says_how_it_was_trained_and_measured(checkpoint, tmp_path):
    target = tmp_path / "b"
    exported(checkpoint, target, "--test", SAMPLE / "test.csv", "--intended_use", "[Trying it out.]")
    bundle = bundles.read(target)
    manifest, evaluation = bundle.manifest, bundle.evaluation
    assert manifest.training.seconds == 3725.2
    assert manifest.training.machine.processor == "Abacus 3"
    assert evaluation.intended_use == ["Trying it out."]
    for one in evaluation.metrics:
        assert one.low <= one.high
        assert one.command.startswith("python -m training export ")
    card = (target / "README.md").read_text()
    assert "It took 1 h 2 min 5 s on 2 cores of Abacus 3" in card
    assert f"--to {target}" in card


@pytest.mark.parametrize("target", ["0", "1", "95"])
def test_an_accuracy_that_is_no_share_is_refused_before_any_work(checkpoint, tmp_path, capsys, target):
    with pytest.raises(SystemExit, match="2"):
        exported(checkpoint, tmp_path / "b", "--target_accuracy", target)
    assert "it should lie between 0 and 1" in capsys.readouterr().err
    assert not (tmp_path / "b").exists()


def test_two_files_of_one_name_are_refused(checkpoint, tmp_path, capsys):
    files = []
    for folder in ("one", "two"):
        path = tmp_path / folder / "same" / "dev.csv"
        path.parent.mkdir(parents=True)
        path.write_text("text,label\nfine,positive\n", encoding="utf-8")
        files.append(str(path))
    with pytest.raises(SystemExit, match="2"):
        exported(checkpoint, tmp_path / "b", "--validation", f"[{', '.join(files)}]")
    assert "same/dev.csv, same/dev.csv need different names" in capsys.readouterr().err
