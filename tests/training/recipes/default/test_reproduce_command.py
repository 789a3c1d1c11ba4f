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
        self.validation = {"last-1": 0.8, "last-2": 0.7}

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
            case "distill ngrams":
                self.leave(self.recipe.ngrams, "")
            case "distill student":
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
    return noted


def reproduce(recipe):
    main(["reproduce", "default", "--data", str(recipe.data), "--base", "base", "--to", str(recipe.to), "--seeds", "2"])


FIRST = ["distill teacher", "distill score", "distill score", "distill student", "distill student"]
MADE = [*FIRST, "export", "distill ngrams", "distill score", *["distill student", "distill student", "export"] * 2]
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
    transformer = [words for words in commands.every if words[:3] == ["distill", "score", str(recipe.teacher)]]
    assert len(transformer) == 2
    assert all("--bfloat16=true" in words for words in transformer)
    assert "--trainer.precision=bf16-mixed" in commands.words["distill student"]


def test_each_run_starts_from_the_last_and_reads_its_own_files(recipe, commands):
    reproduce(recipe)
    first, _, second, last, *_ = (words for words in commands.every if words[:2] == ["distill", "student"])
    runs = (first, second, last)
    learnt = [{Path(path).name for path in json.loads(_after("--data.train", words))} for words in runs]
    assert learnt[0] == {"phrases.parquet", "sentences.parquet", "imdb-train.jsonl", "made-up.jsonl"}
    assert learnt[1] == {*learnt[0], "reviews.parquet"}
    assert learnt[2] == {"phrases.parquet", "imdb-train.jsonl", "made-up.jsonl", "made-up-last.jsonl"}
    assert f"--start_from={recipe.first(1) / 'checkpoints' / 'best.ckpt'}" in second
    assert f"--start_from={recipe.student(1) / 'checkpoints' / 'best.ckpt'}" in last
    assert not any(word.startswith("--start_from") for word in first)


def test_the_vocabulary_of_what_is_shipped_is_that_of_all_its_runs(recipe, commands):
    reproduce(recipe)
    runs = [words for words in commands.every if words[:2] == ["distill", "student"]]
    read = {path for words in runs for path in json.loads(_after("--data.train", words))}
    assert set(json.loads(_after("--counted", commands.words["export"]))) == read


def test_every_student_is_kept_from_the_files_it_is_measured_on(recipe, commands):
    reproduce(recipe)
    for words in commands.every:
        if words[:2] == ["distill", "student"]:
            apart = {Path(path).name for path in json.loads(_after("--data.held_out", words))}
            assert apart == {"test.txt.gz", "imdb-test.jsonl", "amazon.jsonl"}


def test_whole_reviews_are_scored_by_a_first_student_and_the_ngrams(recipe, commands):
    reproduce(recipe)
    words = next(words for words in commands.every if str(recipe.whole_reviews) in words)
    assert json.loads(words[2]) == [str(recipe.first(1) / "bundle"), str(recipe.ngrams)]
    assert words[3] == str(recipe.texts / "imdb-unlabelled.jsonl")


def _after(option, words):
    return words[words.index(option) + 1]


def test_after_a_step_that_failed_it_goes_on_there(recipe, commands):
    commands.breaks_at = "distill student"
    with pytest.raises(SystemExit):
        reproduce(recipe)
    assert commands.called == MADE[:4]
    reproduce(recipe)
    assert commands.called == [*MADE[:4], *MADE[3:], *ATTACHED]


def test_a_student_that_was_stopped_is_not_done(recipe, commands):
    assert steps_module.is_finished(recipe.student(1)) is False
    commands.leave(recipe.student(1) / "metrics.json", json.dumps({"finished": False}))
    assert steps_module.is_finished(recipe.student(1)) is False


@pytest.mark.usefixtures("commands")
def test_validation_alone_chooses_the_student(recipe):
    reproduce(recipe)
    chosen = json.loads((recipe.to / "metrics.json").read_text())
    assert chosen["chosen"] == "last-2"
    assert bundles.read(recipe.to / "bundle").manifest == bundles.read(recipe.last(2) / "bundle").manifest


def test_figures_are_means_over_the_seeds(recipe, monkeypatch):
    values = {"last-1": {"sst, accuracy": 0.5}, "last-2": {"sst, accuracy": 0.7}}
    for name, value in (("last-1", 0.8), ("last-2", 0.9)):
        Commands.leave(recipe.to / name / "metrics.json", json.dumps({"best": {"value": value}}))
        Commands.leave(recipe.to / name / "bundle" / "manifest.json", "{}")
    monkeypatch.setattr(reproduce_command, "_figures", lambda folder: values[folder.parent.name])
    reproduce_command.conclude(recipe)
    content = json.loads((recipe.to / "metrics.json").read_text())
    assert content["chosen"] == "last-1"
    assert content["figures"]["sst, accuracy"]["mean"] == pytest.approx(0.6)
    assert content["figures"]["sst, accuracy"]["spread"] == pytest.approx(0.1 * 2**0.5)
