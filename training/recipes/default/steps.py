"""The recipe of the shipped model: a list of steps, each a command of this project."""

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path

from model_store.plain_console import plain_console
from training.data.readers import ReadingOptions
from training.distillation.scored_texts import texts_to_score
from training.distillation.texts import Text
from training.fit.run_files import METRICS
from training.recipes.default import stored_scores
from training.recipes.default.averaging import average_teachers
from training.recipes.default.recipe import Recipe
from training.recipes.default.texts import measured_files, prepare
from training.recipes.steps import Step, command

CONFIG = Path(os.path.relpath(Path(__file__).parents[2] / "configs" / "distilled.yaml"))
"""The command as a user types it, since the card shows the command that trained a model."""

HARD_TEXTS = Path(os.path.relpath(Path(__file__).parent / "hard_texts.json"))
"""Texts on which such models go wrong; the card shows those that this one gets wrong."""

BUNDLE = Path("bundle", "manifest.json")
"""In a student's folder, once it is exported."""

FIVE = {"0": "very negative", "1": "negative", "2": "neutral", "3": "positive", "4": "very positive"}
"""The treebank's labels in words. The teacher learns all five: what is very good tells more than what is good."""

COARSE = {"any negative": ["very negative", "negative"], "any positive": ["positive", "very positive"]}
"""What the labels of other data sets mean in the treebank's five classes; neutral is neutral everywhere."""

MERGE = {"very negative": "negative", "very positive": "positive"}
"""From the teacher's labels to those of the students and of the second teacher."""

TEACHER_LABELS = {**FIVE, "negative": "any negative", "neutral": "neutral", "positive": "any positive"}

TEACHER_TOKENS = 384
"""Tokens that the teacher reads of a text: all of three reviews in four."""

IDENTITY_TERMS = Path(os.path.relpath(Path(__file__).parent / "identity_terms.yaml"))
"""Texts with an identity term are scored together with others of its group in its place."""

RARE = 8
"""Word pieces that are less frequent in all training texts are pruned from the shipped vocabulary."""

INTENDED_USE = [
    "Labeling English texts of the kinds it was measured on, with the figures below as what to expect.",
    "Showing which words speak for a label: contributions are exact, and add up to the decision.",
]
NOT_INTENDED_FOR = [
    "Decisions about a person that no person reviews.",
    "Texts in another language, or of another kind, than it was measured on, without measuring it there first.",
]

DESCRIPTION = (
    "English sentiment in three classes, for single sentences and for whole reviews: "
    "a two-layer bidirectional LSTM with a residual connection, taught by larger models."
)


def steps(recipe: Recipe) -> list[Step]:
    """All steps in order; a stopped step resumes."""
    *by_teacher, by_film_teacher = recipe.scored

    def teacher_is_done() -> bool:
        return (recipe.teacher / "model.safetensors").exists() or all(path.exists() for path in by_teacher)

    return [
        Step("Prepare the texts", (recipe.texts / "done").exists, partial(prepare, recipe)),
        Step("Restore the teachers' scores", partial(nothing_to_restore, recipe), partial(restore_scores, recipe)),
        Step("Fine-tune the teacher", teacher_is_done, partial(fine_tune, recipe)),
        *(Step(f"Score the file {path.stem}", path.exists, partial(score, recipe, path.stem)) for path in by_teacher),
        Step("Let a second teacher score film sentences", by_film_teacher.exists, partial(ask_film_teacher, recipe)),
        Step("Average both teachers", recipe.averaged.exists, partial(average, recipe)),
        *(step for seed in range(1, recipe.seeds + 1) for step in student(recipe, seed)),
    ]


def nothing_to_restore(recipe: Recipe) -> bool:
    """Whether the teacher of this run scores, or has scored, all texts."""
    return not recipe.stored_scores or all(path.exists() for path in recipe.scored)


def restore_scores(recipe: Recipe) -> None:
    """Use the scores in the repository if they belong to exactly these texts."""
    for path in recipe.scored:
        restored = stored_scores.restore(scored_file(recipe, path.stem).texts(), name=path.stem, to=path)
        outcome = f"Restored {path}." if restored else f"{path}: other texts than the stored scores have; to be scored."
        plain_console(stderr=True).print(outcome)


@dataclass(frozen=True, slots=True)
class ScoredFile:
    """A file that the teacher scores, and how ``distill score`` reads it."""

    path: Path
    reading: ReadingOptions = field(default_factory=ReadingOptions)
    labeled: bool = True
    counterfactuals: Path | None = IDENTITY_TERMS

    def texts(self) -> list[Text]:
        """The texts in the order of their scores."""
        return texts_to_score(
            [self.path], self.reading, labeled=self.labeled, counterfactuals=self.counterfactuals, seed=0
        )

    def arguments(self) -> Iterator[object]:
        """The same for the command line."""
        yield self.path
        for option in fields(ReadingOptions):
            value = getattr(self.reading, option.name)
            if value != getattr(ReadingOptions(), option.name):
                yield from (f"--{option.name}", json.dumps(value) if isinstance(value, dict) else value)
        if not self.labeled:
            yield "--no_labelled"
        if self.counterfactuals is not None:
            yield from ("--counterfactuals", self.counterfactuals)


def scored_file(recipe: Recipe, name: str) -> ScoredFile:
    """What the file of scores with this name is made of."""
    files = {
        "phrases": ScoredFile(
            recipe.training_trees, ReadingOptions(trees="phrases", label_map=dict(FIVE)), counterfactuals=None
        ),
        "labelled": ScoredFile(recipe.labeled),
        "unlabelled": ScoredFile(recipe.unlabeled, labeled=False),
        "film-sentences": ScoredFile(recipe.film_sentences, labeled=False, counterfactuals=None),
    }
    return files[name]


def fine_tune(recipe: Recipe) -> None:
    """The teacher learns five classes from the treebank's phrases, and three of all other labeled texts."""
    train = [recipe.training_trees, recipe.labeled, recipe.teacher_made_up]
    files = ["--train", _listed(train), "--validation", _listed(_validation(recipe)), "--to", recipe.teacher]
    labels = ["--trees=phrases", "--label_map", json.dumps(TEACHER_LABELS), "--coarse", json.dumps(COARSE)]
    batches = ["--batch_size=128", "--tokens_per_batch=16384", f"--max_tokens={TEACHER_TOKENS}", "--learning_rate=5e-5"]
    options = [f"--epochs={recipe.teacher_epochs}", f"--precision={_precision(recipe)}", "--seed=1"]
    command("distill", "teacher", recipe.base, *files, *labels, *batches, *options)


def score(recipe: Recipe, name: str) -> None:
    """The teacher's scores of a file of texts, with their labels if they have any."""
    speed = [
        "--bfloat16" if recipe.bfloat16 else "--no_bfloat16",
        f"--max_tokens={TEACHER_TOKENS}",
        "--tokens_per_batch=32768",
    ]
    texts, to = scored_file(recipe, name).arguments(), recipe.scores / f"{name}.parquet"
    command("distill", "score", recipe.teacher, *texts, *speed, "--to", to)


def ask_film_teacher(recipe: Recipe) -> None:
    """The second teacher's scores; it has learned from film reviews alone."""
    texts = scored_file(recipe, "film-sentences").arguments()
    command("distill", "score", recipe.film_teacher, *texts, "--to", recipe.scores_of("film-sentences"))


def average(recipe: Recipe) -> None:
    """Both teachers' scores of all unlabeled texts in one file."""
    average_teachers(
        scored_file(recipe, "unlabelled").texts(),
        recipe.scores_of("unlabelled"),
        second=recipe.scores_of("film-sentences"),
        merge=MERGE,
        to=recipe.averaged,
    )


def student(recipe: Recipe, seed: int) -> list[Step]:
    """Training a student, and making a bundle of it."""
    folder = recipe.student(seed)
    return [
        Step(f"Train the student, seed {seed}", partial(is_finished, folder), partial(train, recipe, seed)),
        Step(f"Export it, seed {seed}", (folder / BUNDLE).exists, partial(export, recipe, seed)),
    ]


def is_finished(folder: Path) -> bool:
    """Whether a training run is complete."""
    record = folder / METRICS
    return record.is_file() and json.loads(record.read_text(encoding="utf-8"))["finished"] is True


def train(recipe: Recipe, seed: int) -> None:
    """A student learns from labels and from the teacher, on phrases, sentences, posts and whole reviews."""
    held_out = ["--data.held_out", _listed(_tests(recipe)), "--data.on_leak=drop"]
    command(
        *("fit", "--config", CONFIG, "--data.train", _listed(_train(recipe))),
        *("--data.validation", _listed(_validation(recipe)), "--data.tokenizer_folder", recipe.embeddings),
        *(*held_out, f"--trainer.default_root_dir={recipe.student(seed)}", f"--seed_everything={seed}"),
        *(f"--trainer.max_epochs={recipe.epochs}", f"--trainer.precision={_precision(recipe)}", "--ckpt_path=last"),
    )


def export(recipe: Recipe, seed: int) -> None:
    """Export a student: small and fast, calibrated on the validation texts, measured on the test files."""
    folder = recipe.student(seed)
    command(
        *("export", folder / "checkpoints" / "best.ckpt", "--to", folder / "bundle", "--format=auto", "--storage=int8"),
        *("--arithmetic=int8", f"--min_count={RARE}", "--counted", _listed(dict.fromkeys(_train(recipe)))),
        *("--validation", _listed(_validation(recipe)), "--test", _listed(_tests(recipe))),
        *("--name=sentiment-bilstm", "--version=3.2.0", "--description", DESCRIPTION),
        *("--intended_use", json.dumps(INTENDED_USE), "--not_intended_for", json.dumps(NOT_INTENDED_FOR)),
    )


def attach(recipe: Recipe) -> None:
    """Run the behavioral suite on the chosen bundle and attach its results and known failures to the card."""
    bundle, report = recipe.to / "bundle", recipe.to / "behavior"
    command("evaluate", bundle, "--to", report)
    command("card", bundle, "--behavior", report / "report.json", "--known_failures", HARD_TEXTS)


def _train(recipe: Recipe) -> list[Path]:
    """Phrases come twice an epoch: no other labels say what people think of sentences about films."""
    phrases = recipe.scores_of("phrases")
    return [phrases, phrases, recipe.scores_of("labelled"), recipe.averaged, recipe.made_up_texts]


def _precision(recipe: Recipe) -> str:
    return "bf16-mixed" if recipe.bfloat16 else "32"


def _validation(recipe: Recipe) -> list[Path]:
    return [recipe.treebank("dev"), recipe.validation]


def _tests(recipe: Recipe) -> list[Path]:
    return [recipe.treebank("test"), *measured_files(recipe)]


def _listed(paths: Iterable[Path]) -> str:
    return json.dumps([str(path) for path in paths])
