"""``compare``: two bundles on the repository's sample, checked against the models' own answers."""

import csv
import json

import pytest

from model_store import SentimentModel
from tests.support.paths import SAMPLE
from training.commands.compare import main

FILE = SAMPLE / "test.csv"


@pytest.fixture(scope="module")
def rows():
    with FILE.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def answers(bundle, rows):
    return [answer.label for answer in SentimentModel.load(bundle).predict([row["text"] for row in rows])]


@pytest.mark.slow
def test_the_report_agrees_with_the_models_own_answers(tiny_bundle, rows, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    path = tmp_path / "new" / "comparison.json"
    main([str(tiny_bundle), "default", "--data", str(FILE), "--to", str(path), "--flips", "100"])
    found = json.loads(path.read_text())
    true = [row["label"] for row in rows]
    tiny, shipped = answers(tiny_bundle, rows), answers("default", rows)
    right = [(a == label, b == label) for a, b, label in zip(tiny, shipped, true, strict=True)]
    assert found["first"]["accuracy"]["value"] == pytest.approx(sum(a for a, _ in right) / len(rows))
    assert found["second"]["accuracy"]["value"] == pytest.approx(sum(b for _, b in right) / len(rows))
    assert found["disagreements"]["only_first"] == right.count((True, False))
    assert found["disagreements"]["only_second"] == right.count((False, True))
    changed = {(a, b, row["text"]) for a, b, row in zip(tiny, shipped, rows, strict=True) if a != b}
    assert {(flip["first"], flip["second"], flip["text"]) for flip in found["flips"]} == changed
    assert found["verdicts"]["accuracy"] == "better"
    assert found["models"][0]["bytes"] == sum(file.stat().st_size for file in tiny_bundle.iterdir())
    printed = capsys.readouterr().out
    assert "The second is better by accuracy" in printed
    assert "calibration error" in printed


def test_labels_that_neither_model_has_are_refused_with_the_line(tiny_bundle, tmp_path, capsys):
    path = tmp_path / "topics.csv"
    path.write_text("text,label\nfine,positive\nsoup,food\n")
    with pytest.raises(SystemExit) as end:
        main([str(tiny_bundle), str(tiny_bundle), "--data", str(path)])
    assert end.value.code == 1
    assert "topics.csv, line 3" in capsys.readouterr().err
