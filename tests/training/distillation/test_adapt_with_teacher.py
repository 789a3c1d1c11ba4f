"""``adapt --teacher``: the new model learns from a transformer's scores too."""

import json
import shutil

import pytest
import torch

from tests.support.bundles import bundle_of
from tests.support.paths import SAMPLE
from training.commands.main import main
from training.data.tokenization import word_pipeline
from training.fit.task import SentimentTask

pytestmark = pytest.mark.slow


@pytest.fixture
def source(tmp_path):
    torch.manual_seed(1)
    labels = ["negative", "neutral", "positive"]
    task = SentimentTask(labels, word_pipeline(["film", "good", "bad"]).to_str(), embedding_size=4, hidden_size=3)
    return str(bundle_of(task.eval(), tmp_path / "small").path)


def test_a_transformer_teaches_on_labeled_and_unlabeled_texts(source, base_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    texts = tmp_path / "more.csv"
    texts.write_text("text\nThe soup was good.\nA film nobody asked for.\n", encoding="utf-8")
    command = [
        "adapt", "--train", str(SAMPLE / "train.csv"), "--to", "taught", "--from", source, "--epochs", "1",
        "--teacher", str(base_folder), "--unlabelled", str(texts),
    ]  # fmt: skip
    main(command)
    run = tmp_path / "runs" / "taught" / "fit"
    record = json.loads((run / "run.json").read_text())
    assert [(file["name"], file["rows"]) for file in record["data"][:2]] == [
        ("scores/train.parquet", 324),
        ("scores/unlabelled.parquet", 2),
    ]
    shutil.rmtree(run)  # as if it had been stopped after scoring, the longest part
    monkeypatch.setattr("training.commands.adapt.fine_tune_teacher", None)
    main(command)
    assert (run / "metrics.json").is_file()


def test_unlabeled_texts_need_a_teacher(source, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    arguments = ["--train", str(SAMPLE / "train.csv"), "--to", "new", "--from", source, "--unlabelled", "more.csv"]
    with pytest.raises(SystemExit) as end:
        main(["adapt", *arguments])
    assert end.value.code == 2
    assert "--unlabelled needs a teacher" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main(["adapt", "--train", str(SAMPLE / "train.csv"), "--to", "new", "--from", source, "--bfloat16"])
    assert "--bfloat16 is about the teacher" in capsys.readouterr().err
