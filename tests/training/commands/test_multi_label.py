"""``adapt --multi_label``, and the commands that read what it makes."""

import json
import shlex

import pytest
import torch

from model_store import SentimentModel
from model_store import bundle as bundles
from tests.support.bundles import bundle_of
from tests.support.paths import SAMPLE
from training.commands.main import main
from training.data.readers import read_examples
from training.data.tokenization import word_pipeline
from training.distillation.scorers import InferenceOptions, load_teacher_scorer
from training.distillation.teacher import TeacherError
from training.export.read_back import load_start
from training.fit.task import SentimentTask

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("test_multi_label")]  # they share a run


def rows(part):
    """The sample's texts: negative ones are complaints, long ones are long, and neutral short ones have no label."""
    for example in read_examples(SAMPLE / f"{part}.csv"):
        labels = ["complaint"] * (example.label == "negative") + ["long"] * (len(example.text.split()) > 8)
        yield {"text": example.text, "label": labels}


def write(path, part):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows(part)), encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    words = sorted({word.strip(".,!?").lower() for row in rows("train") for word in row["text"].split()})
    torch.manual_seed(1)
    task = SentimentTask(
        ["negative", "neutral", "positive"], word_pipeline(words).to_str(), embedding_size=8, hidden_size=6, layers=2
    )
    return str(bundle_of(task.eval(), tmp_path_factory.mktemp("source") / "small", storage="int8").path)


@pytest.fixture(scope="module")
def folder(source, tmp_path_factory):
    """Where a bundle was adapted to the sample."""
    folder = tmp_path_factory.mktemp("adapted")
    train, test = write(folder / "train.jsonl", "train"), write(folder / "test.jsonl", "test")
    options = ["--from", source, "--multi_label", "--run_folder", str(folder / "run"), "--epochs", "1"]
    main(["adapt", "--train", train, "--test", test, "--to", str(folder / "topics"), *options])
    return folder


def test_the_bundle_gives_sets_of_labels(folder):
    model = SentimentModel.load(folder / "topics")
    assert model.manifest.label_names == ("complaint", "long")
    assert set(model.manifest.multi_label) == {"complaint", "long"}
    assert model.manifest.labels[0].polarity is None
    test = list(rows("test"))
    answers = model.predict([row["text"] for row in test])
    right = sum(
        ("long" in answer.labels) == ("long" in row["label"]) for answer, row in zip(answers, test, strict=True)
    )
    assert right > len(test) / 2


def test_the_report_compares_what_can_be_compared(folder):
    report = json.loads((folder / "run" / "report.json").read_text())
    assert list(report["metrics"]) == ["macro_f1", "micro_f1", "subset_accuracy", "calibration_error"]
    assert [system["figures"] is None for system in report["systems"]] == [False, False, True, False]
    assert report["systems"][2]["note"] == "it gives a text one label"
    assert report["confusion"] == []
    assert sum(report["rows"].values()) == 420
    assert report["counts"]["long"] == pytest.approx(0.9 * sum("long" in row["label"] for row in rows("train")), abs=2)
    assert {mistake["expected"] for mistake in report["mistakes"]} <= {"none", "complaint", "long", "complaint, long"}
    page = (folder / "run" / "report.html").read_text()
    assert "Confusion matrix" not in page
    assert "subset accuracy" in page


def test_a_file_is_read_as_the_model_answers(folder):
    main(["test", str(folder / "topics"), str(folder / "test.jsonl"), "--to", str(folder / "report.json")])
    report = json.loads((folder / "report.json").read_text())
    adapted = json.loads((folder / "run" / "report.json").read_text())["systems"][3]["figures"]
    assert report["figures"]["macro_f1"]["value"] == pytest.approx(adapted["macro_f1"]["value"])
    assert report["confusion"] == []
    main(["card", str(folder / "topics"), "--measure", str(folder / "test.jsonl")])
    figures = {metric.metric for metric in bundles.read(folder / "topics").evaluation.metrics}
    assert figures == {"macro_f1", "micro_f1", "subset_accuracy", "calibration_error"}


def test_it_is_compared_with_a_model_of_one_label_a_text(folder, source, capsys):
    to = folder / "comparison.json"
    main(["compare", source, str(folder / "topics"), "--data", str(folder / "test.jsonl"), "--to", str(to)])
    report = json.loads(to.read_text())
    assert set(report["verdicts"]) == {"macro_f1", "micro_f1", "subset_accuracy"}
    assert report["models"][1]["texts_with_labels_it_lacks"] == 0
    assert "by macro-F1" in capsys.readouterr().out


def test_it_can_be_trained_again_but_not_teach(folder):
    inference = InferenceOptions(max_tokens=8, tokens_per_batch=8, bfloat16=False)
    assert load_start(folder / "topics").task.multi_label
    with pytest.raises(TeacherError, match="any number of labels, so it cannot be a teacher"):
        load_teacher_scorer(str(folder / "topics"), inference)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("adapt --train a.csv --to b --multi_label --teacher c", "leave --multi_label out, or --teacher"),
        ("distill ngrams --train a.csv --to b.ngrams --multi_label", "one label each; leave --multi_label out"),
        ("pipeline SAMPLE --name a --multi_label --metric accuracy", "pass macro_f1"),
    ],
)
def test_what_makes_no_sense_is_refused_before_any_work(arguments, message, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(shlex.split(arguments.replace("SAMPLE", str(SAMPLE / "train.csv"))))
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_inspect_says_if_no_text_has_a_label(tmp_path, capsys):
    path = tmp_path / "tickets.csv"
    path.write_text("text,label\na b c,\nd e f,\n")
    main(["inspect", str(path), "--json", "--multi_label"])
    report = json.loads(capsys.readouterr().out)
    assert report["advice"] == ["No text has a label: check --label_column and --label_map."]
    assert report["next_command"] is None


def test_inspect_finds_separators_and_counts_labels(tmp_path, capsys):
    path = tmp_path / "tickets.csv"
    labels = ["billing", "urgent", "billing;urgent", ""]
    path.write_text("text,label\n" + "".join(f"text number {row},{labels[row % 4]}\n" for row in range(40)))
    main(["inspect", str(path), "--json"])
    report = json.loads(capsys.readouterr().out)
    assert any("pass --multi_label --label_separator ';'" in sentence for sentence in report["advice"])
    assert report["next_command"].endswith("--multi_label --label_separator ';'")
    main(["inspect", str(path), "--json", "--multi_label", "--label_separator", ";"])
    found = json.loads(capsys.readouterr().out)["found"]
    assert found["labels"] == {"billing": 20, "urgent": 20}
    assert found["labels_per_text"] == {"0": 10, "1": 20, "2": 10}
