"""``python -m training test``: a checkpoint and a bundle of one network, against files with and without all labels."""

import csv
import json
from hashlib import sha256

import numpy as np
import pytest

from model_store import SentimentModel
from tests.support.checkpoints import READING, write_checkpoint
from tests.support.paths import SAMPLE
from training.commands.main import main
from training.data.tokenization import subword_pipeline
from training.fit.task import SentimentTask

FILE = SAMPLE / "test.csv"


@pytest.fixture(scope="module")
def checkpoint(tiny_task, tmp_path_factory):
    """The network of ``tiny_bundle``."""
    path = tmp_path_factory.mktemp("run") / "best.ckpt"
    return write_checkpoint(path, tiny_task, data={**READING, "max_tokens": 512})


def report(tmp_path, *arguments):
    main(["test", *map(str, arguments), "--to", str(tmp_path / "report.json")])
    return json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))


def answers(bundle, rows):
    predictions = SentimentModel.load(bundle).predict([row["text"] for row in rows])
    return [prediction.label for prediction in predictions]


@pytest.fixture(scope="module")
def rows():
    with FILE.open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_the_figures_of_a_bundle_are_those_of_its_answers(tiny_bundle, rows, tmp_path):
    measured = report(tmp_path, tiny_bundle, FILE)
    predicted = answers(tiny_bundle, rows)
    right = sum(row["label"] == label for row, label in zip(rows, predicted, strict=True))
    assert measured["figures"]["accuracy"]["value"] == pytest.approx(right / 60)
    assert measured["model"]["kind"] == "bundle"
    assert measured["model"]["temperature"] == 1.5
    assert measured["data"] == {
        "name": "sample/test.csv",
        "sha256": sha256(FILE.read_bytes()).hexdigest(),
        "rows": 60,
        "left_out": {"bad_rows": 0, "without_tokens": 0},
    }
    names = measured["labels"]
    expected = np.zeros((3, 3), dtype=int)
    for row, label in zip(rows, predicted, strict=True):
        expected[names.index(row["label"]), names.index(label)] += 1
    assert measured["confusion"] == expected.tolist()
    assert [entry["support"] for entry in measured["by_label"]] == [20, 20, 20]
    for figure in measured["figures"].values():
        assert 0 <= figure["low"] <= figure["value"] <= figure["high"] <= 1


def test_a_checkpoint_and_its_bundle_agree_but_for_the_temperature(checkpoint, tiny_bundle, tmp_path):
    first, second = report(tmp_path, checkpoint, FILE), report(tmp_path, tiny_bundle, FILE)
    for name in ("accuracy", "macro_f1"):
        assert first["figures"][name] == second["figures"][name]
    assert first["confusion"] == second["confusion"]
    assert first["figures"]["calibration_error"] != second["figures"]["calibration_error"]
    assert first["model"]["temperature"] is None


@pytest.mark.slow
def test_a_file_without_neutral_is_compared_by_the_polar_accuracy(checkpoint, tiny_bundle, rows, tmp_path, capsys):
    polar = [row for row in rows if row["label"] != "neutral"]
    path = tmp_path / "two.txt"
    path.write_text("".join(f"{int(row['label'] == 'positive')} {row['text']}\n" for row in polar), encoding="utf-8")
    names = '{"0": negative, "1": positive}'
    two = report(tmp_path, checkpoint, path, "--format", "lines", "--label_map", names)
    printed = capsys.readouterr().out
    three = report(tmp_path, checkpoint, FILE)
    # The bundle's temperature changes no sign: which of two probabilities is larger is the same with and without.
    scores = [answer.scores for answer in SentimentModel.load(tiny_bundle).predict([row["text"] for row in polar])]
    right = [
        (score["positive"] > score["negative"]) == (row["label"] == "positive")
        for row, score in zip(polar, scores, strict=True)
    ]
    for measured in (two, three):
        assert measured["figures"]["polar_accuracy"]["value"] == pytest.approx(sum(right) / 40)
        assert measured["figures"]["polar_accuracy"]["rows"] == 40
    # Some of these texts are called neutral, and none of them is.
    assert "neutral" in answers(tiny_bundle, polar)
    assert two["by_label"][1] == {"label": "neutral", "precision": 0.0, "recall": None, "f1": 0.0, "support": 0}
    assert "No text of the file is labeled neutral" in printed


@pytest.mark.slow
def test_a_text_without_a_token_is_left_out_and_counted(sample_texts, tmp_path):
    path = tmp_path / "some.csv"
    path.write_text('text,label\nfine soup,positive\n"\u200b",negative\n', encoding="utf-8")
    pipeline = subword_pipeline(sample_texts, size=300).to_str()  # drops invisible characters, as word pipelines do not
    task = SentimentTask(["negative", "positive"], pipeline, embedding_size=8, hidden_size=6, layers=1).eval()
    checkpoint = write_checkpoint(tmp_path / "best.ckpt", task, data={**READING, "max_tokens": 512, "sources": []})
    bundle = tmp_path / "bundle"
    main(["export", str(checkpoint), "--to", str(bundle), "--calibrated", "false"])
    for model in (checkpoint, bundle):
        measured = report(tmp_path, model, path)["data"]
        assert measured["rows"] == 1
        assert measured["left_out"] == {"bad_rows": 0, "without_tokens": 1}


def test_a_label_the_model_lacks_names_the_option_that_maps_it(tiny_bundle, tmp_path, capsys):
    path = tmp_path / "stars.csv"
    path.write_text("text,label\nfine,5\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="1"):
        main(["test", str(tiny_bundle), str(path)])
    error = capsys.readouterr().err
    assert 'stars.csv, line 2: the label "5" was not in the training data.' in error
    assert "--on_bad_row" in error
    assert "--data." not in error


@pytest.mark.parametrize("name", ["gone.ckpt", "gone"])
def test_a_model_that_is_not_there_is_a_plain_message(name, capsys):
    with pytest.raises(SystemExit, match="1"):
        main(["test", name, str(FILE)])
    assert name in capsys.readouterr().err
