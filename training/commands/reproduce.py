"""``python -m training reproduce``: makes the shipped model from the public data sets, resumably."""

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from rich.table import Table
from rich.text import Text

from model_store import bundle as bundles
from model_store.atomic_write import write_json
from model_store.plain_console import plain_console
from training.commands.parser import run
from training.commands.repeat import Summary, summarize
from training.evaluation.tables import plain_table
from training.recipes.default.recipe import Recipe
from training.recipes.steps import run_steps

DESCRIPTION = """\
Makes the model that ships with the project: prepares the texts, fine-tunes the teacher, scores labeled and unlabeled
texts, trains one student per seed, and exports each. The student with the lowest validation loss becomes
TO/bundle; the behavioral suite is run on it and its results are added to its card. Mean and spread of every metric over
the seeds go to TO/metrics.json. Every step is a command of its own, printed before it runs. A second run keeps finished
steps and resumes a stopped one.

  python -m training reproduce default --data data --base pretrained/all-mpnet-base-v2 \\
    --embeddings pretrained/all-MiniLM-L6-v2
  python -m training reproduce default --data data --base pretrained/all-MiniLM-L6-v2 \\
    --embeddings pretrained/all-MiniLM-L6-v2 --quick --to runs/quick

docs/how-to/reproduce.md describes the contents of DATA and where to get BASE, EMBEDDINGS and the second teacher, which
is only needed where the stored scores are not used. A GPU is used if there is one. The teacher takes minutes on a GPU
and days on two CPU cores. Its scores are in the repository and are used if they belong to the same texts, unless
--no_stored_scores is given. --quick uses a few hundred texts of each kind and takes minutes; it only tests that all
steps work, so its figures are meaningless. --seeds 3 shows how much a figure varies with the seed.
"""

MADE_UP = 2500
"""Maximum number of texts of a family of templates: enough to learn from, few among half a million others."""

QUICK = {
    "seeds": 2,
    "sentences": 300,
    "made_up": 20,
    "reviews": 200,
    "trees": 100,
    "teacher_epochs": 1,
    "epochs": 1,
}


def main(arguments: list[str]) -> None:
    """Run the command; exit as the first step that fails does."""
    run(reproduce_model, arguments, command="reproduce", description=DESCRIPTION)


def reproduce_model(
    model: Literal["default"],
    *,
    data: Path,
    base: str,
    embeddings: str,
    film_teacher: str = "pretrained/sentiment-bilstm-2.4.1",
    to: Path | None = None,
    seeds: int = 1,
    sentences: int = 600_000,
    teacher_epochs: int = 1,
    epochs: int = 3,
    bfloat16: bool = False,
    stored_scores: bool = True,
    quick: bool = False,
) -> None:
    """Make a model; see ``DESCRIPTION``.

    Args:
        model: the model to make.
        data: folder of the data sets.
        base: the teacher before fine-tuning: a Hugging Face folder.
        embeddings: the Hugging Face folder whose token embeddings the students take.
        film_teacher: the second teacher, who has a say in sentences of film reviews: a bundle's folder, or default.
        to: folder of all results; by default runs/default.
        seeds: number of students.
        sentences: maximum number of sentences of reviews to score.
        teacher_epochs: epochs of the teacher.
        epochs: epochs of a student.
        bfloat16: compute in bfloat16; faster on processors with bfloat16 units.
        stored_scores: use the teacher's scores in the repository if they belong to the same texts.
        quick: use a few texts of each kind, to test that all steps work.
    """
    counts = {"seeds": seeds, "sentences": sentences, "teacher_epochs": teacher_epochs, "epochs": epochs}
    amounts = QUICK if quick else {**counts, "made_up": MADE_UP, "reviews": 0, "trees": 0}
    folder = to or Path("runs") / model
    reproduce(
        Recipe(
            data=data,
            base=base,
            film_teacher=film_teacher,
            embeddings=embeddings,
            to=folder,
            bfloat16=bfloat16,
            stored_scores=stored_scores,
            **amounts,
        )
    )


def reproduce(recipe: Recipe) -> None:
    """Run every step that is not done yet, then choose the best student and attach its reports."""
    from training.recipes.default.steps import attach, steps

    run_steps(steps(recipe))
    conclude(recipe)
    attach(recipe)


def conclude(recipe: Recipe) -> None:
    """Write the metrics of all seeds and copy the student with the lowest validation loss to its place."""
    folders = [recipe.student(seed) for seed in range(1, recipe.seeds + 1)]
    validated = {folder: json.loads((folder / "metrics.json").read_text())["best"]["value"] for folder in folders}
    best = min(folders, key=validated.__getitem__)  # of losses
    figures = [_metrics(folder / "bundle") for folder in folders]
    summaries = summarize(figures) if len(figures) > 1 else {}
    content = {
        "chosen": best.name,
        "validation": {folder.name: value for folder, value in validated.items()},
        "figures": {name: asdict(summary) for name, summary in summaries.items()},
    }
    write_json(recipe.to / "metrics.json", content)
    shutil.copytree(best / "bundle", recipe.to / "bundle", dirs_exist_ok=True)
    console = plain_console()
    if summaries:
        console.print(_table(summaries, runs=len(folders)))
    console.print(f"{best.name} has the lowest validation loss; it is {recipe.to / 'bundle'} now.")


def _metrics(folder: Path) -> dict[str, float]:
    metrics = bundles.read(folder).evaluation.metrics
    return {f"{metric.data}, {metric.metric.replace('_', ' ')}": metric.value for metric in metrics}


def _table(summaries: dict[str, Summary], *, runs: int) -> Table:
    table = plain_table(f"{runs} seeds", "mean", "spread")
    for name, summary in summaries.items():
        table.add_row(name, Text(f"{summary.mean:.2%}", "bold"), f"{summary.spread:.2%}")
    return table
