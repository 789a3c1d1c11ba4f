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

from training.fit.callbacks.run_record import METRICS
from training.recipes.default.recipe import Recipe
from training.recipes.default.texts import prepare

CONFIG = Path(os.path.relpath(Path(__file__).parents[2] / "configs" / "distilled.yaml"))
"""As a person would type it: the command that trained a model is on its card."""

HARD_TEXTS = Path(os.path.relpath(Path(__file__).parent / "hard_texts.json"))
"""Texts on which such models go wrong; the card shows those that this one gets wrong."""

BUNDLE = Path("bundle", "manifest.json")
"""In a student's folder, once it is exported."""

FIRST = 1
"""The seed of the first student that teaches whole reviews to all."""

FIVE = {"0": "very negative", "1": "negative", "2": "neutral", "3": "positive", "4": "very positive"}
"""The treebank's labels in words. The teacher learns all five: what is very good tells more than what is good."""

THREE = {number: label.removeprefix("very ") for number, label in FIVE.items()}
"""The same for a teacher that knows only what the student tells apart."""

SECOND_RATE = 1e-3
"""The highest learning rate of a student that begins with learnt weights: half that of one that begins anew."""

LAST_RATE = 5e-4
"""Half of that again, for its last run."""

RARE = 8
"""Word pieces that all training texts together hold fewer times are left out of what is shipped."""

DESCRIPTION = (
    "English sentiment in three classes, for single sentences and for whole reviews: "
    "a two-layer bidirectional LSTM with a residual connection, taught by larger models."
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
        *(first_student(recipe, seed) for seed in range(1, recipe.seeds + 1)),
        Step("Make a bundle of the first", (recipe.first(FIRST) / BUNDLE).exists, partial(export_first, recipe)),
        Step("Fit n-grams to the labelled reviews", recipe.ngrams.exists, partial(fit_ngrams, recipe)),
        Step("Score the unlabelled reviews", recipe.whole_reviews.exists, partial(score_reviews, recipe)),
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


def fit_ngrams(recipe: Recipe) -> None:
    """A linear classifier learns the labelled reviews, and of the treebank's sentences what neutral is."""
    learnt = [recipe.texts / "imdb-train.jsonl", recipe.training_trees]
    command("distill", "ngrams", "--train", _listed(learnt), "--label_map", json.dumps(THREE), "--to", recipe.ngrams)


def score_reviews(recipe: Recipe) -> None:
    """What the n-grams and a first student, who err on different reviews, together make of those without labels."""
    teachers = _listed([recipe.first(FIRST) / "bundle", recipe.ngrams])
    texts = recipe.texts / "imdb-unlabelled.jsonl"
    command("distill", "score", teachers, texts, "--labelled=false", "--to", recipe.whole_reviews)


def first_student(recipe: Recipe, seed: int) -> Step:
    """Training one student on all but whole reviews without labels."""
    folder = recipe.first(seed)
    return Step(
        f"Train the first student, seed {seed}", partial(is_finished, folder), partial(train_first, recipe, seed)
    )


def student(recipe: Recipe, seed: int) -> list[Step]:
    """Training it on, and on, and making a bundle of it."""
    folder, last = recipe.student(seed), recipe.last(seed)
    return [
        Step(f"Train the student, seed {seed}", partial(is_finished, folder), partial(train, recipe, seed)),
        Step(f"End with short texts, seed {seed}", partial(is_finished, last), partial(train_last, recipe, seed)),
        Step(f"Export it, seed {seed}", (last / BUNDLE).exists, partial(export, recipe, seed)),
    ]


def is_finished(folder: Path) -> bool:
    """Whether a training run came to its end."""
    record = folder / METRICS
    return record.is_file() and json.loads(record.read_text(encoding="utf-8"))["finished"] is True


def train_first(recipe: Recipe, seed: int) -> None:
    """A student learns from labels and from the teacher, on phrases, sentences and whole reviews."""
    _train(recipe, seed, _learnt(recipe), to=recipe.first(seed), options=[f"--trainer.max_epochs={recipe.epochs}"])


def train(recipe: Recipe, seed: int) -> None:
    """It learns on, now from the unlabelled reviews too."""
    begin = f"--start_from={recipe.first(seed) / 'checkpoints' / 'best.ckpt'}"
    options = [begin, f"--model.learning_rate={SECOND_RATE}", f"--trainer.max_epochs={recipe.second_epochs}"]
    _train(recipe, seed, _learnt(recipe, recipe.whole_reviews), to=recipe.student(seed), options=options)


def train_last(recipe: Recipe, seed: int) -> None:
    """A short run on what the long one on reviews diluted: phrases, labelled reviews, and many more made-up texts."""
    learnt = [recipe.phrases, recipe.texts / "imdb-train.jsonl", recipe.made_up_texts, recipe.last_made_up_texts]
    begin = f"--start_from={recipe.student(seed) / 'checkpoints' / 'best.ckpt'}"
    options = [begin, f"--model.learning_rate={LAST_RATE}", "--trainer.max_epochs=1"]
    _train(recipe, seed, learnt, to=recipe.last(seed), options=options)


def export_first(recipe: Recipe) -> None:
    """Calibrated, so that its probabilities and those of the n-grams may be averaged."""
    _export(recipe, recipe.first(FIRST))


def export(recipe: Recipe, seed: int) -> None:
    """Made small and fast, calibrated on both kinds of texts, measured on the test files."""
    learnt = [*_learnt(recipe, recipe.whole_reviews), recipe.last_made_up_texts]
    made = ["--arithmetic=int8", f"--min_count={RARE}", "--counted", _listed(learnt)]
    described = ["--name=sentiment-bilstm", "--version=2.4.0", "--description", DESCRIPTION]
    _export(recipe, recipe.last(seed), *made, "--test", _listed(_tests(recipe)), *described)


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


def _train(recipe: Recipe, seed: int, learnt: list[Path], *, to: Path, options: list[str]) -> None:
    apart = ["--data.held_out", _listed(_tests(recipe)), "--data.on_leak=drop"]
    precision = f"--trainer.precision={_precision(recipe)}"
    command(
        *("distill", "student", "--config", CONFIG, "--data.train", _listed(learnt)),
        *("--data.validation", _listed(_validation(recipe)), "--data.tokenizer_folder", recipe.base),
        *(*apart, f"--trainer.default_root_dir={to}", f"--seed_everything={seed}", "--ckpt_path=last"),
        *(precision, *options),
    )


def _learnt(recipe: Recipe, *scored: Path) -> list[Path]:
    return [recipe.phrases, recipe.lines, *scored, recipe.texts / "imdb-train.jsonl", recipe.made_up_texts]


def _export(recipe: Recipe, folder: Path, *options: str) -> None:
    command(
        *("export", folder / "checkpoints" / "best.ckpt", "--to", folder / "bundle", "--format=auto", "--storage=int8"),
        *("--validation", _listed(_validation(recipe)), *options),
    )


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
