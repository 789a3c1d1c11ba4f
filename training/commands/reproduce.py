"""``python -m training reproduce``: makes the shipped model from the public data sets, resumably."""

import argparse
import json
import shutil
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from model_store import bundle as bundles
from training.commands.repeat import Summary, summarise
from training.recipes.default.recipe import Recipe
from training.recipes.default.steps import attach, steps

DESCRIPTION = """\
Makes the model that ships with the project: prepares the texts, fine-tunes the teacher, lets it score labelled and
unlabelled texts, trains one student a seed, and exports each. The student with the lowest validation loss becomes
TO/bundle, is put to the behavioral suite, and gets that on its card; mean and spread of every figure over the seeds go
to TO/metrics.json. Every step is a command of its own, printed before it runs. Run again, finished steps are kept, and
a step that was stopped resumes.

  python -m training reproduce default --data data --base pretrained/all-mpnet-base-v2 \\
    --embeddings pretrained/all-MiniLM-L6-v2
  python -m training reproduce default --data data --base pretrained/all-MiniLM-L6-v2 \\
    --embeddings pretrained/all-MiniLM-L6-v2 --quick --to runs/quick

docs/distillation.md says what DATA holds and where BASE and EMBEDDINGS come from. The same command runs on a GPU, which
is used where there is one, and on a CPU. The defaults, with --bfloat16, are those of the shipped model: minutes for the
teacher on a GPU, days on two CPU cores. --quick takes some hundred texts of each kind, and minutes, and proves the path
alone: its figures mean nothing. --seeds 3 shows how much a figure owes to chance.
"""

MADE_UP = 1000
"""Texts of a family of templates, at most: enough to be learnt, few beside half a million others."""

COUNTS = ("seeds", "sentences", "teacher_epochs", "epochs")
"""Options that are amounts of something."""

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
    """Runs the command; exits as the first step that fails does."""
    given = _parser().parse_args(arguments)
    counts = {name: getattr(given, name) for name in COUNTS}
    amounts = QUICK if given.quick else {**counts, "made_up": MADE_UP, "reviews": 0, "trees": 0}
    folder = given.to or Path("runs") / given.model
    reproduce(
        Recipe(
            data=given.data,
            base=given.base,
            embeddings=given.embeddings,
            to=folder,
            bfloat16=given.bfloat16,
            **amounts,
        )
    )


def reproduce(recipe: Recipe) -> None:
    """Does every step that was not done before, then says what came of it."""
    console = Console(stderr=True)
    every = steps(recipe)
    for number, step in enumerate(every, start=1):
        console.rule(f"[bold]{step.name}[/] ({number} of {len(every)})", align="left")
        if step.is_done():
            console.print("Done before: kept.")
        else:
            step.work()
    conclude(recipe)
    attach(recipe)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training reproduce",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("model", choices=["default"], help="which model; there is one so far")
    parser.add_argument("--data", type=Path, required=True, help="the folder of data sets")
    parser.add_argument("--base", required=True, help="the teacher before it is fine-tuned: a Hugging Face folder")
    parser.add_argument("--embeddings", required=True, help="the folder whose token embeddings the students take")
    parser.add_argument("--to", type=Path, help="where everything is written (default: runs/default)")
    parser.add_argument("--seeds", type=int, default=1, help="number of students (default: 1)")
    parser.add_argument("--sentences", type=int, default=600_000, help="of reviews, to be scored (default: 600000)")
    parser.add_argument("--teacher_epochs", type=int, default=2, help="of the teacher (default: 2)")
    parser.add_argument("--epochs", type=int, default=3, help="of a student (default: 3)")
    parser.add_argument("--bfloat16", action="store_true", help="compute in bfloat16, where that is fast")
    parser.add_argument("--quick", action="store_true", help="a little of everything, to prove the path")
    return parser


def conclude(recipe: Recipe) -> None:
    """Writes what came of the seeds, and puts the one that validation likes best in its place."""
    folders = [recipe.student(seed) for seed in range(1, recipe.seeds + 1)]
    validated = {folder: json.loads((folder / "metrics.json").read_text())["best"]["value"] for folder in folders}
    best = min(folders, key=validated.__getitem__)  # of losses
    figures = [_figures(folder / "bundle") for folder in folders]
    summaries = summarise(figures) if len(figures) > 1 else {}
    content = {
        "chosen": best.name,
        "validation": {folder.name: value for folder, value in validated.items()},
        "figures": {name: asdict(summary) for name, summary in summaries.items()},
    }
    (recipe.to / "metrics.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    shutil.copytree(best / "bundle", recipe.to / "bundle", dirs_exist_ok=True)
    console = Console()
    if summaries:
        console.print(_table(summaries, runs=len(folders)))
    console.print(f"Validation likes {best.name} best: it is {recipe.to / 'bundle'} now.")


def _figures(folder: Path) -> dict[str, float]:
    metrics = bundles.read(folder).evaluation.metrics
    return {f"{metric.data}, {metric.metric.replace('_', ' ')}": metric.value for metric in metrics}


def _table(summaries: dict[str, Summary], *, runs: int) -> Table:
    table = Table(box=None, padding=(0, 3, 0, 0), header_style="dim")
    table.add_column(f"{runs} seeds")
    for name in ("mean", "spread"):
        table.add_column(name, justify="right")
    for name, summary in summaries.items():
        table.add_row(name, f"[bold]{summary.mean:.2%}[/]", f"{summary.spread:.2%}")
    return table
