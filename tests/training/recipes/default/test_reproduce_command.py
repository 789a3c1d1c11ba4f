"""Making the shipped model again: every step once, the best student in its place."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from model_store import bundle as bundles
from training.commands import reproduce as reproduce_command
from training.commands.main import main
from training.recipes.default import steps as steps_module


class Commands:
    """Stands for the commands: notes each and leaves the file it would leave; breaks once where told to."""

    def __init__(self, recipe, bundle, breaks_at=None):
        self.recipe = recipe
        self.bundle = bundle
        self.breaks_at = breaks_at
        self.called = []
        self.words = {}
        self.every = []
        self.validation = {"seed-1": 0.8, "seed-2": 0.7}

    def __call__(self, *arguments):
        words = [str(argument) for argument in arguments]
        name = " ".join(words[:2]) if words[0] == "distill" else words[0]
        self.called.append(name)
        self.words[name] = words
        self.every.append(words)
        if name == self.breaks_at:
            self.breaks_at = None
            raise SystemExit(1)
        match name:
            case "distill teacher":
                self.leave(self.recipe.teacher / "model.safetensors", "")
            case "distill score":
                self.leave(Path(_after("--to", words)), "")
            case "fit":
                folder = next(word.partition("=")[2] for word in words if "default_root_dir" in word)
                content = {"finished": True, "best": {"value": self.validation.get(Path(folder).name, 1.0)}}
                self.leave(self.recipe.to / folder / "metrics.json", json.dumps(content))
            case "export":
                shutil.copytree(self.bundle, _after("--to", words))

    @staticmethod
    def leave(path, content):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


@pytest.fixture
def commands(monkeypatch, recipe, tiny_bundle):
    noted = Commands(recipe, tiny_bundle)
    monkeypatch.setattr(steps_module, "command", noted)
    monkeypatch.setattr(reproduce_command, "MADE_UP", recipe.made_up)
    return noted


def reproduce(recipe):
    folders = ["--data", recipe.data, "--base", recipe.base, "--embeddings", recipe.embeddings, "--to", recipe.to]
    main(["reproduce", "default", *map(str, folders), "--seeds", "2"])


SCORED = ["distill teacher", "distill score", "distill score", "distill score"]
MADE = [*SCORED, "fit", "export", "fit", "export"]
ATTACHED = ["evaluate", "card"]


def test_every_step_is_done_in_its_order_and_not_again(recipe, commands):
    reproduce(recipe)
    assert commands.called == [*MADE, *ATTACHED]
    reproduce(recipe)
    assert commands.called == [*MADE, *ATTACHED, *ATTACHED]


def test_bfloat16_is_for_teacher_scores_and_students(recipe, commands):
    for step in steps_module.steps(replace(recipe, bfloat16=True)):
        step.work()
    assert "--precision=bf16-mixed" in commands.words["distill teacher"]
    scored = [words for words in commands.every if words[:2] == ["distill", "score"]]
    assert len(scored) == 3
    assert all("--bfloat16" in words for words in scored)
    assert "--trainer.precision=bf16-mixed" in commands.words["fit"]


def test_a_student_reads_all_scores_and_the_made_up_texts(recipe, commands):
    reproduce(recipe)
    runs = [words for words in commands.every if words[0] == "fit"]
    for seed, words in enumerate(runs, start=1):
        read = {Path(path).name for path in json.loads(_after("--data.train", words))}
        assert read == {"phrases.parquet", "labelled.parquet", "unlabelled.parquet", "made-up.jsonl"}
        assert f"--seed_everything={seed}" in words
        assert _after("--data.tokenizer_folder", words) == recipe.embeddings


def test_the_vocabulary_of_what_is_shipped_is_that_of_its_training_files(recipe, commands):
    reproduce(recipe)
    read = json.loads(_after("--data.train", commands.words["fit"]))
    assert json.loads(_after("--counted", commands.words["export"])) == read


def test_every_student_is_kept_from_the_files_it_is_measured_on(recipe, commands):
    reproduce(recipe)
    measured = set(json.loads(_after("--test", commands.words["export"])))
    for words in commands.every:
        if words[0] == "fit":
            assert set(json.loads(_after("--data.held_out", words))) == measured
            assert not measured & set(json.loads(_after("--data.validation", words)))


def test_stored_scores_of_other_texts_are_not_taken(recipe, commands, capsys):
    reproduce(recipe)
    assert commands.called.count("distill score") == 3
    assert "other texts than the stored scores have" in " ".join(capsys.readouterr().err.split())


def _after(option, words):
    return words[words.index(option) + 1]


def test_after_a_step_that_failed_it_resumes_there(recipe, commands):
    commands.breaks_at = "fit"
    with pytest.raises(SystemExit):
        reproduce(recipe)
    assert commands.called == MADE[:5]
    reproduce(recipe)
    assert commands.called == [*MADE[:5], *MADE[4:], *ATTACHED]


def test_a_student_that_was_stopped_is_not_done(recipe, commands):
    assert steps_module.is_finished(recipe.student(1)) is False
    commands.leave(recipe.student(1) / "metrics.json", json.dumps({"finished": False}))
    assert steps_module.is_finished(recipe.student(1)) is False


@pytest.mark.usefixtures("commands")
def test_validation_alone_chooses_the_student(recipe):
    reproduce(recipe)
    record = json.loads((recipe.to / "metrics.json").read_text())
    assert record["chosen"] == "seed-2"
    assert bundles.read(recipe.to / "bundle").manifest == bundles.read(recipe.student(2) / "bundle").manifest


def test_metrics_are_means_over_the_seeds(recipe, monkeypatch):
    values = {"seed-1": {"sst, accuracy": 0.5}, "seed-2": {"sst, accuracy": 0.7}}
    for name, value in (("seed-1", 0.8), ("seed-2", 0.9)):
        Commands.leave(recipe.to / name / "metrics.json", json.dumps({"best": {"value": value}}))
        Commands.leave(recipe.to / name / "bundle" / "manifest.json", "{}")
    monkeypatch.setattr(reproduce_command, "_metrics", lambda folder: values[folder.parent.name])
    reproduce_command.conclude(recipe)
    record = json.loads((recipe.to / "metrics.json").read_text())
    assert record["chosen"] == "seed-1"
    assert record["figures"]["sst, accuracy"]["mean"] == pytest.approx(0.6)
    assert record["figures"]["sst, accuracy"]["spread"] == pytest.approx(0.1 * 2**0.5)
