"""``python -m training test``: a checkpoint and a bundle of one network, against files with and without all labels."""

import csv
import json
from hashlib import sha256

import numpy as np
import pytest
import torch

from model_store import SentimentModel
from tests.support.programs import SAMPLE
from training.commands.main import main

FILE = SAMPLE / "test.csv"


@pytest.fixture(scope="module")
def checkpoint(tiny_task, tmp_path_factory):
    """The tiny network as fit would leave it, as far as measuring looks."""
    path = tmp_path_factory.mktemp("run") / "best.ckpt"
    reading = {"format": "auto", "text_column": "text", "label_column": "label", "ptb_tokens": False, "label_map": None}
    torch.save(
        {
            "state_dict": tiny_task.state_dict(),
            "hyper_parameters": dict(tiny_task.hparams),
            "datamodule_hyper_parameters": {**reading, "max_tokens": 512},
            "loops": {"fit_loop": {"epoch_progress": {"current": {"ready": 1}}}},
            "global_step": 1,
        },
        path,
    )
    return path


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
        assert figure["low"] <= figure["high"]


def test_a_checkpoint_and_its_bundle_agree_but_for_the_temperature(checkpoint, tiny_bundle, tmp_path):
    first, second = report(tmp_path, checkpoint, FILE), report(tmp_path, tiny_bundle, FILE)
    for name in ("accuracy", "macro_f1"):
        assert first["figures"][name] == second["figures"][name]
    assert first["confusion"] == second["confusion"]
    assert first["figures"]["calibration_error"] != second["figures"]["calibration_error"]
    assert first["model"]["temperature"] is None


def test_a_file_without_neutral_is_compared_by_the_polar_accuracy(checkpoint, rows, tmp_path, capsys):
    polar = [row for row in rows if row["label"] != "neutral"]
    path = tmp_path / "two.txt"
    path.write_text("".join(f"{int(row['label'] == 'positive')} {row['text']}\n" for row in polar), encoding="utf-8")
    names = '{"0": negative, "1": positive}'
    two = report(tmp_path, checkpoint, path, "--format", "lines", "--label_map", names)
    printed = capsys.readouterr().out
    three = report(tmp_path, checkpoint, FILE)
    assert two["figures"]["polar_accuracy"] == three["figures"]["polar_accuracy"] | {
        bound: two["figures"]["polar_accuracy"][bound]
        for bound in ("low", "high")  # other texts are drawn
    }
    assert two["figures"]["polar_accuracy"]["rows"] == 40
    assert two["by_label"][1] | {"precision": None} == {
        "label": "neutral", "precision": None, "recall": None, "f1": two["by_label"][1]["f1"], "support": 0,
    }  # fmt: skip
    assert "No text of the file is labelled neutral" in printed


def test_a_text_without_a_token_is_left_out_and_counted(checkpoint, tiny_bundle, tmp_path):
    path = tmp_path / "some.csv"
    path.write_text('text,label\nfine soup,positive\n"\u200b",negative\n', encoding="utf-8")
    for model in (checkpoint, tiny_bundle):
        found = report(tmp_path, model, path)
        assert found["data"]["rows"] + found["data"]["left_out"]["without_tokens"] == 2
        assert found["data"]["left_out"] == report(tmp_path, checkpoint, path)["data"]["left_out"]


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
