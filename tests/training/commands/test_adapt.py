"""``python -m training adapt``: from a bundle and a file to a bundle with the file's labels."""

import csv
import json
import os
import signal

import pytest
import torch

from model_store import SentimentModel
from model_store import bundle as bundles
from tests.support.bundles import bundle_of
from tests.support.paths import SAMPLE
from training.commands.main import main
from training.data.tokenization import word_pipeline
from training.export.bundle import RoundingError
from training.fit.task import SentimentTask

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("test_adapt")]  # they share a run

TERMINATED = 143
TOPICS = {"negative": "billing", "neutral": "delivery", "positive": "praise"}


def read(part):
    with (SAMPLE / f"{part}.csv").open(encoding="utf-8") as stream:
        return [(row["text"], row["label"]) for row in csv.DictReader(stream)]


def write(path, rows):
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("text", "label"), *rows])
    return path


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return small_bundle(tmp_path_factory.mktemp("source") / "small")


def small_bundle(folder, arithmetic="float32"):
    """A small bundle that knows the sample's words and nothing of them."""
    words = sorted({word.strip(".,!?").lower() for text, _ in read("train") for word in text.split()})
    torch.manual_seed(1)
    task = SentimentTask(
        ["negative", "neutral", "positive"],
        word_pipeline(words).to_str(),
        embedding_size=8,
        hidden_size=6,
        layers=2,
        pooling=["max", "mean"],
    )
    return str(bundle_of(task.eval(), folder, storage="int8", arithmetic=arithmetic).path)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def adapt(*arguments):
    main(["adapt", *map(str, arguments)])


def test_other_labels_give_a_bundle_and_a_report(folder, source, capsys):
    rows = [(text, TOPICS[label]) for text, label in read("train")]
    test = [(text, TOPICS[label]) for text, label in read("test")]
    files = write(folder / "tickets.csv", rows), write(folder / "later.csv", test)
    adapt("--train", files[0], "--test", files[1], "--to", "topics", "--from", source, "--epochs", 3)
    model = SentimentModel.load("topics")
    assert model.manifest.label_names == ("billing", "delivery", "praise")
    assert model.manifest.name == "topics"
    assert bundles.read(folder / "topics").manifest.training.initialized_from is not None
    report = json.loads((folder / "runs" / "topics" / "report.json").read_text())
    assert [system["name"] for system in report["systems"]] == [
        "majority",
        "TF-IDF + logistic regression",
        f"{source}, before",
        "topics, after",
    ]
    assert report["systems"][2]["figures"] is None  # it does not know these labels
    assert report["rows"] == {"train": 324, "validation": 36, "test": 60}
    correct = sum(model.predict([text])[0].label == label for text, label in test)
    assert report["systems"][3]["figures"]["accuracy"]["value"] == pytest.approx(correct / 60)
    page = (folder / "runs" / "topics" / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 2
    assert "SENTIMENT_MODEL=topics make serve" in page
    shown = capsys.readouterr()
    assert "SENTIMENT_MODEL=topics make serve" in shown.out
    assert "Kept the last epoch, 3 of 3: runs/topics/fit/checkpoints/best.ckpt" in shown.err
    assert "training export" not in shown.err  # it is exported already
    assert "litlogger" not in shown.err


def test_labels_of_the_source_are_measured_before_and_after_and_keep_their_polarity(folder, source):
    adapt("--train", SAMPLE / "train.csv", "--to", "same", "--from", source, "--epochs", 1)
    report = json.loads((folder / "runs" / "same" / "report.json").read_text())
    assert report["measured_on"] == "validation"
    assert report["systems"][2]["figures"] is not None
    labels = SentimentModel.load("same").manifest.labels
    assert [(label.name, label.polarity) for label in labels] == [("negative", -1), ("neutral", 0), ("positive", 1)]


def test_a_file_that_cannot_be_used_is_named_before_any_work(folder, source, capsys):
    table = folder / "my.csv"
    table.write_text("Review text,Stars\nfine,5\n")
    for arguments, said in (
        (("--train", "none.csv"), "none.csv: there is no such file."),
        (("--train", table), 'my.csv: it has no column "text" (columns found: Review text, Stars).'),
        (("--train", SAMPLE / "train.csv", "--test", table), "perhaps --text_column='Review text'"),
    ):
        with pytest.raises(SystemExit, match="1"):
            adapt(*arguments, "--to", "new", "--from", source)
        assert said in capsys.readouterr().err
    assert not (folder / "runs").exists()


def test_eight_examples_a_label_are_enough(folder, source):
    by_label = {}
    for text, label in read("train"):
        by_label.setdefault(label, []).append((text, label))
    few = [row for rows in by_label.values() for row in rows[:8]]
    adapt("--train", write(folder / "few.csv", few), "--to", "few", "--from", source)
    report = json.loads((folder / "runs" / "few" / "report.json").read_text())
    assert report["rows"]["train"] + report["rows"]["validation"] == 24
    assert any("too few validation texts to calibrate" in note for note in report["notes"])
    assert SentimentModel.load("few").manifest.calibration.data is None


@pytest.mark.parametrize("arithmetic", ["int8", "float32"])
def test_what_8_bits_would_change_too_much_is_computed_in_32(folder, monkeypatch, capsys, arithmetic):
    def refuse(*_):
        raise RoundingError

    if arithmetic == "float32":
        monkeypatch.setattr("training.commands.export.check_rounding", refuse)
    few = write(folder / "few.csv", read("train")[:60])
    adapt("--train", few, "--to", "few", "--from", small_bundle(folder / "small", "int8"), "--epochs", 1)
    assert SentimentModel.load("few").manifest.arithmetic == arithmetic
    assert ("computes in 32 bits" in " ".join(capsys.readouterr().err.split())) is (arithmetic == "float32")


def test_an_adaptation_that_was_killed_resumes_to_the_same_bytes(folder, source, monkeypatch, capsys):
    options = ("--train", SAMPLE / "train.csv", "--from", source, "--epochs", 2, "--name", "same")
    adapt(*options, "--to", "whole")
    step = SentimentTask.training_step
    steps = []

    def stopping(task, batch):
        steps.append(batch)
        if len(steps) == 13:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(task, batch)

    with monkeypatch.context() as patch:
        patch.setattr(SentimentTask, "training_step", stopping)
        with pytest.raises(SystemExit) as end:
            adapt(*options, "--to", "resumed")
    assert end.value.code == TERMINATED
    assert not (folder / "resumed").exists()
    assert "give the same command again" in capsys.readouterr().err
    adapt(*options, "--to", "resumed")
    for name in (bundles.GRAPH, bundles.TOKENIZER):
        assert (folder / "resumed" / name).read_bytes() == (folder / "whole" / name).read_bytes()


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([("a good text", "yes"), ("a bad text", "yes")], "only the label 'yes' occurs"),
        (
            [("a good text", "yes"), ("another fine thing", "yes"), ("bad", "no"), ("Bad!", "no")],
            "the label 'no' has fewer than two different texts",
        ),
        ([("", "yes"), ("bad", "no")], "line 2: the text is empty"),
    ],
)
def test_a_file_that_cannot_be_learned_from_ends_the_command_plainly(folder, source, rows, said, capsys):
    with pytest.raises(SystemExit) as end:
        adapt("--train", write(folder / "rows.csv", rows), "--to", "new", "--from", source)
    assert end.value.code == 1
    assert said in capsys.readouterr().err


def test_another_adaptation_is_not_replaced(folder, source, capsys):
    (folder / "taken").mkdir()
    with pytest.raises(SystemExit):
        adapt("--train", SAMPLE / "train.csv", "--to", "taken", "--from", source)
    assert "taken: already exists" in capsys.readouterr().err
    (folder / "runs" / "new").mkdir(parents=True)
    (folder / "runs" / "new" / "adapt.json").write_text("{}")
    with pytest.raises(SystemExit):
        adapt("--train", SAMPLE / "train.csv", "--to", "new", "--from", source)
    assert "holds another adaptation" in capsys.readouterr().err
