"""How the shipped model is made: steps, each of them a command of this project that anybody can run alone."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console

from training.callbacks.run_record import METRICS
from training.reproduction.recipe import Recipe
from training.reproduction.texts import prepare

CONFIG = Path(os.path.relpath(Path(__file__).parents[1] / "configs" / "distilled.yaml"))
"""As a person would type it: the command that trained a model is on its card."""

HARD_TEXTS = Path(os.path.relpath(Path(__file__).parent / "hard_texts.json"))
"""Texts on which such models go wrong; the card shows those that this one gets wrong."""

FIVE = {"0": "very negative", "1": "negative", "2": "neutral", "3": "positive", "4": "very positive"}
"""The treebank's labels in words. The teacher learns all five: what is very good tells more than what is good."""

DESCRIPTION = (
    "English sentiment in three classes, for single sentences and for whole reviews: "
    "a two-layer bidirectional LSTM with a residual connection, taught by a transformer."
)


@dataclass(frozen=True, slots=True)
class Step:
    """A piece of the work: what it is called, whether it was done before, and how it is done."""

    name: str
    is_done: Callable[[], bool]
    work: Callable[[], None]


def steps(recipe: Recipe) -> list[Step]:
    """All of them, in order; one that was stopped goes on by itself."""
    return [
        Step("Prepare the reviews", (recipe.texts / "done").exists, partial(prepare, recipe)),
        Step("Fine-tune the teacher", (recipe.teacher / "model.safetensors").exists, partial(fine_tune, recipe)),
        Step("Score the treebank's phrases", recipe.phrases.exists, partial(score_phrases, recipe)),
        Step("Score sentences of reviews", recipe.lines.exists, partial(score_sentences, recipe)),
        *(step for seed in range(1, recipe.seeds + 1) for step in student(recipe, seed)),
    ]


def fine_tune(recipe: Recipe) -> None:
    """The teacher learns the treebank's phrases in five classes."""
    files = ["--train", recipe.training_trees, "--validation", recipe.treebank("dev"), "--to", recipe.teacher]
    labels = ["--trees=phrases", "--label_map", json.dumps(FIVE)]
    options = [f"--epochs={recipe.teacher_epochs}", f"--precision={_precision(recipe)}", "--seed=1"]
    command("distill", "teacher", recipe.base, *files, *labels, *options)


def score_phrases(recipe: Recipe) -> None:
    """What the teacher makes of the phrases it learnt, beside their labels."""
    labels = ["--trees=phrases", "--label_map", json.dumps(FIVE)]
    command("distill", "score", recipe.teacher, recipe.training_trees, *labels, *_scoring(recipe, recipe.phrases))


def score_sentences(recipe: Recipe) -> None:
    """What it makes of sentences that nobody labelled."""
    unlabelled = ["--format=lines", "--labelled=false"]
    texts = recipe.texts / "sentences.txt"
    command("distill", "score", recipe.teacher, texts, *unlabelled, *_scoring(recipe, recipe.lines))


def student(recipe: Recipe, seed: int) -> list[Step]:
    """Training one student, and making a bundle of it."""
    folder = recipe.student(seed)
    return [
        Step(f"Train the student, seed {seed}", partial(is_finished, folder), partial(train, recipe, seed)),
        Step(f"Export it, seed {seed}", (folder / "bundle" / "manifest.json").exists, partial(export, recipe, seed)),
    ]


def is_finished(folder: Path) -> bool:
    """Whether a training run came to its end."""
    record = folder / METRICS
    return record.is_file() and json.loads(record.read_text(encoding="utf-8"))["finished"] is True


def train(recipe: Recipe, seed: int) -> None:
    """The student learns from labels and from the teacher, on phrases, sentences and whole reviews."""
    learnt = [recipe.phrases, recipe.lines, *(recipe.texts / f"{name}.jsonl" for name in ("imdb-train", "made-up"))]
    apart = ["--data.held_out", _listed(_tests(recipe)), "--data.on_leak=drop"]
    options = [f"--seed_everything={seed}", f"--trainer.max_epochs={recipe.epochs}", "--ckpt_path=last"]
    options.append(f"--trainer.precision={_precision(recipe)}")
    command(
        *("distill", "student", "--config", CONFIG, "--data.train", _listed(learnt)),
        *("--data.validation", _listed(_validation(recipe)), "--data.tokenizer_folder", recipe.base),
        *(*apart, f"--trainer.default_root_dir={recipe.student(seed)}", *options),
    )


def export(recipe: Recipe, seed: int) -> None:
    """Calibrated on both kinds of texts, measured on the test files."""
    folder = recipe.student(seed)
    command(
        *("export", folder / "checkpoints" / "best.ckpt", "--to", folder / "bundle", "--format=auto", "--storage=int8"),
        *("--validation", _listed(_validation(recipe)), "--test", _listed(_tests(recipe))),
        *("--name=sentiment-bilstm", "--version=2.1.0", "--description", DESCRIPTION),
    )


def attach(recipe: Recipe) -> None:
    """Asks the chosen bundle what a person expects of it, and puts that and what it gets wrong on its card."""
    bundle, report = recipe.to / "bundle", recipe.to / "behaviour"
    command("evaluate", "--behaviour", bundle, "--to", report)
    command("card", bundle, "--behaviour", report / "report.json", "--known_failures", HARD_TEXTS)


def command(*arguments: object) -> None:
    """Runs a command of the project in a process of its own, as a person would.

    Raises:
        SystemExit: it failed; with its exit status.
    """
    words = [str(argument) for argument in arguments]
    Console(stderr=True).print(shlex.join(["python", "-m", "training", *words]), style="dim", highlight=False)
    done = subprocess.run([sys.executable, "-m", "training", *words], check=False)  # noqa: S603 - ourselves
    if done.returncode:
        raise SystemExit(done.returncode)


def _precision(recipe: Recipe) -> str:
    return "bf16-mixed" if recipe.bfloat16 else "32"


def _scoring(recipe: Recipe, to: Path) -> list[str]:
    return [f"--bfloat16={str(recipe.bfloat16).lower()}", "--to", str(to)]


def _validation(recipe: Recipe) -> list[Path]:
    return [recipe.treebank("dev"), recipe.texts / "imdb-validation.jsonl"]


def _tests(recipe: Recipe) -> list[Path]:
    return [recipe.treebank("test"), recipe.texts / "imdb-test.jsonl", recipe.texts / "amazon.jsonl"]


def _listed(paths: list[Path]) -> str:
    return json.dumps([str(path) for path in paths])
