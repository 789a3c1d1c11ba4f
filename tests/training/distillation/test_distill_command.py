"""The path of a user: fine-tune a teacher, let it score, train the student on its scores."""

import json
import math

import pytest
from pyarrow import parquet

from tests.support.paths import SAMPLE
from training.commands.main import main
from training.distillation.teacher import load_teacher

pytestmark = pytest.mark.slow

FILES = {part: str(SAMPLE / f"{part}.csv") for part in ("train", "validation")}


@pytest.fixture(scope="module")
def teacher(base_folder, tmp_path_factory):
    """A teacher fine-tuned on the sample for two epochs."""
    folder = tmp_path_factory.mktemp("fine-tuned")
    options = ["--train", FILES["train"], "--validation", FILES["validation"], "--to", str(folder), "--epochs", "2"]
    main(["distill", "teacher", str(base_folder), *options])
    return folder


def test_a_teacher_is_fine_tuned_to_the_labels_of_its_data(teacher):
    assert load_teacher(str(teacher), max_tokens=24).labels == ["negative", "neutral", "positive"]


def test_a_finished_teacher_is_not_trained_again(teacher, base_folder):
    before = (teacher / "model.safetensors").read_bytes()
    options = ["--train", FILES["train"], "--validation", FILES["validation"], "--to", str(teacher), "--epochs", "2"]
    main(["distill", "teacher", str(base_folder), *options])
    assert (teacher / "model.safetensors").read_bytes() == before


def test_a_student_learns_from_labels_and_scores(teacher, tmp_path):
    unlabeled = tmp_path / "texts.txt"
    unlabeled.write_text("The soup was cold.\n\nA film that nobody asked for.\n")
    scores = [str(tmp_path / name) for name in ("sample.parquet", "more.parquet")]
    main(["distill", "score", str(teacher), FILES["train"], "--to", scores[0]])
    options = ["--format", "lines", "--no_labelled", "--variants", "3"]
    main(["distill", "score", str(teacher), str(unlabeled), "--to", scores[1], *options])
    rows = parquet.read_table(scores[1]).to_pylist()
    assert {"The soup was cold.", "A film that nobody asked for."} < {row["text"] for row in rows}
    assert {row["label"] for row in rows} == {None}
    main(
        [
            "fit", "--data.train", json.dumps(scores), "--data.validation", FILES["validation"],
            "--data.min_count=1", "--model.hidden_size=8", "--model.embedding_size=8", "--trainer.max_epochs=1",
            "--trainer.accelerator=cpu", f"--trainer.default_root_dir={tmp_path / 'run'}",
        ]
    )  # fmt: skip
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["finished"] is True
    recorded = json.loads((tmp_path / "run" / "run.json").read_text())["data"]
    assert [file["rows"] for file in recorded] == [360, len(rows), 60]


def test_ngrams_are_fitted_and_score_together_with_a_transformer(teacher, tmp_path):
    fitted, scores = tmp_path / "sample.ngrams", tmp_path / "scores.parquet"
    main(["distill", "ngrams", "--train", FILES["train"], "--to", str(fitted)])
    main(["distill", "score", json.dumps([str(teacher), str(fitted)]), FILES["validation"], "--to", str(scores)])
    rows = parquet.read_table(scores).to_pylist()
    labels = ["negative", "neutral", "positive"]
    sums = [sum(math.exp(row[f"teacher: {label}"]) for label in labels) for row in rows]
    assert sums == pytest.approx([1.0] * 60, abs=2e-3)  # a probability below 0.001 is written as 0.001


def test_ngrams_under_another_name_are_refused(tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["distill", "ngrams", "--train", FILES["train"], "--to", str(tmp_path / "sample")])
    assert stopped.value.code == 2
    assert "the name of an n-gram file ends in .ngrams" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_an_unknown_command_is_refused(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["distill", "teach"])
    assert stopped.value.code == 2
    assert "expected one of: teacher, ngrams, score" in capsys.readouterr().err


def test_a_model_without_a_head_is_refused_as_a_teacher(base_folder, tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["distill", "score", str(base_folder), FILES["train"], "--to", str(tmp_path / "scores.parquet")])
    assert stopped.value.code == 1
    assert "Fine-tune it first" in capsys.readouterr().err
