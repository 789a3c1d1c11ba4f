"""``adapt --teacher``: the new model learns from a transformer's scores too."""

import json

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
    main(
        [
            "adapt", "--train", str(SAMPLE / "train.csv"), "--to", "taught", "--from", source, "--epochs", "1",
            "--teacher", str(base_folder), "--unlabelled", str(texts),
        ]
    )  # fmt: skip
    run = json.loads((tmp_path / "runs" / "taught" / "fit" / "run.json").read_text())
    assert [(file["name"], file["rows"]) for file in run["data"][:2]] == [
        ("scores/train.parquet", 324),
        ("scores/unlabelled.parquet", 2),
    ]


def test_unlabeled_texts_need_a_teacher(source, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    arguments = ["--train", str(SAMPLE / "train.csv"), "--to", "new", "--from", source, "--unlabelled", "more.csv"]
    with pytest.raises(SystemExit) as end:
        main(["adapt", *arguments])
    assert end.value.code == 2
    assert "--unlabelled needs a teacher" in capsys.readouterr().err
