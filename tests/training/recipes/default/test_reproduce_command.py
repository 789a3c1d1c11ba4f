"""Making the shipped model again: every step once, the best student in its place."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model_store import bundle as bundles
from training.commands import distill
from training.commands import reproduce as reproduce_command
from training.commands.main import main
from training.commands.parser import parse
from training.data.readers.files import paths
from training.distillation.scored_texts import texts_to_score
from training.recipes.default import steps as steps_module
from training.recipes.default import stored_scores
from training.recipes.default.measured_sets import MEASURED
from training.recipes.default.texts import prepare


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
    monkeypatch.setattr(steps_module, "average_teachers", lambda *_, to, **__: noted.leave(to, ""))
    return noted


def reproduce(recipe):
    folders = ["--data", str(recipe.data), "--base", "base", "--embeddings", "small", "--to", str(recipe.to)]
    main(["reproduce", "default", *folders, "--film_teacher", "films", "--seeds", "2"])


SCORED = ["distill teacher", *["distill score"] * 4]
MADE = [*SCORED, *["fit", "export"] * 2]
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
    assert ["--bfloat16" in words for words in scored] == [True, True, True, False]  # the last is by a bundle
    assert "--trainer.precision=bf16-mixed" in commands.words["fit"]


def test_a_student_reads_all_scores_and_the_made_up_texts(recipe, commands):
    reproduce(recipe)
    read = [Path(path).name for path in json.loads(_after("--data.train", commands.words["fit"]))]
    assert read == ["phrases.parquet", "phrases.parquet", "labelled.parquet", "averaged.parquet", "made-up.jsonl"]


def test_the_second_teacher_scores_sentences_of_film_reviews(recipe, commands):
    reproduce(recipe)
    words = [words for words in commands.every if words[:2] == ["distill", "score"]][-1]
    assert words[2:4] == ["films", str(recipe.film_sentences)]
    sentences = {row["text"] for row in map(json.loads, recipe.film_sentences.read_text().splitlines())}
    assert "I sat through all of it in silence." in sentences
    assert not any("goemotions" in sentence for sentence in sentences)
    assert sentences <= {row["text"] for row in map(json.loads, recipe.unlabeled.read_text().splitlines())}


def test_the_vocabulary_of_what_is_shipped_is_that_of_the_training_files(recipe, commands):
    reproduce(recipe)
    read = json.loads(_after("--data.train", commands.words["fit"]))
    assert json.loads(_after("--counted", commands.words["export"])) == list(dict.fromkeys(read))


def test_labels_of_other_data_sets_stand_for_several_of_the_teachers(recipe, commands):
    reproduce(recipe)
    words = commands.words["distill teacher"]
    label_map, coarse = (json.loads(_after(option, words)) for option in ("--label_map", "--coarse"))
    assert (label_map["1"], label_map["negative"]) == ("negative", "any negative")
    assert coarse["any negative"] == ["very negative", "negative"]


def test_every_student_is_kept_from_the_files_it_is_measured_on(recipe, commands):
    reproduce(recipe)
    for words in commands.every:
        if words[0] == "fit":
            held_out = {Path(path).name for path in json.loads(_after("--data.held_out", words))}
            assert held_out == {"test.txt.gz", *(one.file_name for one in MEASURED if "sst" not in one.path)}


def test_stored_scores_take_the_place_of_the_teacher(recipe, commands, monkeypatch, tmp_path):
    prepare(recipe)
    (recipe.texts / "done").touch()
    for name in ("phrases", "labelled", "unlabelled", "film-sentences"):
        scored = steps_module.scored_file(recipe, name).texts()
        scores = np.log(np.full((len(scored), 2), 0.5, dtype=np.float32))
        stored_scores.store(
            scored, scores, ["negative", "positive"], teacher="one", name=name, folder=tmp_path / "stored"
        )
    monkeypatch.setattr(stored_scores.restore, "__kwdefaults__", {"folder": tmp_path / "stored"})
    reproduce(recipe)
    assert commands.called == [*["fit", "export"] * 2, *ATTACHED]
    assert all(path.is_file() for path in recipe.scored)


def test_the_command_scores_the_texts_that_stored_scores_belong_to(recipe):
    prepare(recipe)
    for name in ("phrases", "labelled", "unlabelled", "film-sentences"):
        scored = steps_module.scored_file(recipe, name)
        words = ["teacher", *map(str, scored.arguments()), "--to", "scores.parquet"]
        given = parse(distill.score, words, command="distill score", description="")
        read = {option: given[option] for option in ("counterfactuals", "seed")}
        files = paths(given["texts"])
        assert texts_to_score(files, given["reading"], labeled=given["labelled"], **read) == scored.texts()


def _after(option, words):
    return words[words.index(option) + 1]


def test_after_a_step_that_failed_it_goes_on_there(recipe, commands):
    commands.breaks_at = "fit"
    with pytest.raises(SystemExit):
        reproduce(recipe)
    assert commands.called == MADE[:6]
    reproduce(recipe)
    assert commands.called == [*MADE[:6], *MADE[5:], *ATTACHED]


def test_a_student_that_was_stopped_is_not_done(recipe, commands):
    assert steps_module.is_finished(recipe.student(1)) is False
    commands.leave(recipe.student(1) / "metrics.json", json.dumps({"finished": False}))
    assert steps_module.is_finished(recipe.student(1)) is False


@pytest.mark.usefixtures("commands")
def test_validation_alone_chooses_the_student(recipe):
    reproduce(recipe)
    chosen = json.loads((recipe.to / "metrics.json").read_text())
    assert chosen["chosen"] == "seed-2"
    assert bundles.read(recipe.to / "bundle").manifest == bundles.read(recipe.student(2) / "bundle").manifest


def test_figures_are_means_over_the_seeds(recipe, monkeypatch):
    values = {"seed-1": {"sst, accuracy": 0.5}, "seed-2": {"sst, accuracy": 0.7}}
    for name, value in (("seed-1", 0.8), ("seed-2", 0.9)):
        Commands.leave(recipe.to / name / "metrics.json", json.dumps({"best": {"value": value}}))
        Commands.leave(recipe.to / name / "bundle" / "manifest.json", "{}")
    monkeypatch.setattr(reproduce_command, "_metrics", lambda folder: values[folder.parent.name])
    reproduce_command.conclude(recipe)
    content = json.loads((recipe.to / "metrics.json").read_text())
    assert content["chosen"] == "seed-1"
    assert content["figures"]["sst, accuracy"]["mean"] == pytest.approx(0.6)
    assert content["figures"]["sst, accuracy"]["spread"] == pytest.approx(0.1 * 2**0.5)
