"""``python -m training repeat``: the same run with several seeds, and what its figures are on average."""

import argparse
import contextlib
import io
import json
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from training.commands import fit as fitting
from training.fit.callbacks.run_record import METRICS

DESCRIPTION = """\
Trains with seeds 1, 2, ... into FOLDER/seed-1, FOLDER/seed-2, ... where FOLDER is the config's
trainer.default_root_dir. Prints mean and spread (sample standard deviation) of every test figure, and writes them to
FOLDER/metrics.json. Every other option is one of fit's, --config included; a test file is needed.

  python -m training repeat --seeds 3 --config training/configs/sample.yaml
"""

RESUME = "keep runs that are finished, and go on with one that is not from its last checkpoint"


@dataclass(frozen=True, slots=True)
class Run:
    """One training run of several: its folder, and fit's options that make it what it is."""

    folder: Path
    options: list[str]


@dataclass(frozen=True, slots=True)
class Summary:
    """A figure over several runs: its mean, and its sample standard deviation (dividing by runs - 1)."""

    mean: float
    spread: float
    values: list[float]


def main(arguments: list[str]) -> None:
    """Runs the command; exits as the first run that fails does."""
    parser = argparse.ArgumentParser(
        prog="python -m training repeat",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--seeds", type=_at_least_two, default=3, help="how many seeds, counted from 1 (default: 3)")
    parser.add_argument("--resume", action="store_true", help=RESUME)
    chosen, options = parser.parse_known_args(arguments)
    config = resolved_config(options)
    if config["data"]["test"] is None:
        parser.error("a test file is needed, or there is nothing to compare: pass --data.test FILE")
    root = Path(config["trainer"]["default_root_dir"])
    runs = [Run(root / f"seed-{seed}", [*options, f"--seed_everything={seed}"]) for seed in range(1, chosen.seeds + 1)]
    train_and_summarise(runs, root, resume=chosen.resume)


def train_and_summarise(runs: Sequence[Run], root: Path, *, resume: bool) -> dict[str, Summary]:
    """Trains one run after the other, each in a process of its own, then prints and writes what came of them.

    A process of its own is exactly what a person would start: its record names its command, several GPUs work as ever,
    and nothing of one run is left in the next.

    Raises:
        SystemExit: a run failed; with its exit status, and what to do.
    """
    console = Console(stderr=True)
    for number, run in enumerate(runs, start=1):
        if resume and is_finished(run.folder):
            console.print(f"[bold]{run.folder}[/] is finished: kept")
            continue
        console.print(f"\n[bold]{run.folder}[/] ({number} of {len(runs)})")
        _train(run, resume=resume)
    results = {run.folder.name: _metrics(run.folder) for run in runs}
    summaries = summarise([result["test"] for result in results.values()])
    content = {"test": {name: asdict(summary) for name, summary in summaries.items()}, "runs": results}
    (root / METRICS).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    Console().print(_table(summaries, runs=len(results)))
    return summaries


def summarise(results: Sequence[Mapping[str, float]]) -> dict[str, Summary]:
    """Mean and spread of each figure over two or more runs."""
    columns = {name: [result[name] for result in results] for name in results[0]}
    return {
        name: Summary(statistics.fmean(values), statistics.stdev(values), values) for name, values in columns.items()
    }


def resolved_config(options: Sequence[str]) -> dict[str, Any]:
    """The config that fit would train with, every default in place, without reading any data.

    Raises:
        SystemExit: with 2 where an option is not one of fit's.
    """
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            fitting.fit([*options, "--print_config"])
    except SystemExit as end:
        if end.code:
            raise
    content: dict[str, Any] = yaml.safe_load(printed.getvalue())
    return content


def is_finished(folder: Path) -> bool:
    """Whether a run came to its end and its test figures are there."""
    if not (folder / METRICS).is_file():
        return False
    content = _metrics(folder)
    return content["finished"] is True and "test" in content


def _train(run: Run, *, resume: bool) -> None:
    options = [*run.options, f"--trainer.default_root_dir={run.folder}"]
    if resume and any((run.folder / "checkpoints").glob("last*.ckpt")):
        options.append("--ckpt_path=last")
    done = subprocess.run([sys.executable, "-m", "training", "fit", *options], check=False)  # noqa: S603 - ourselves
    if done.returncode:
        sys.stderr.write(f"{run.folder}: the run failed; once that is mended, --resume keeps the runs before it\n")
        raise SystemExit(done.returncode)


def _metrics(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / METRICS).read_text(encoding="utf-8"))
    return content


def _table(summaries: Mapping[str, Summary], *, runs: int) -> Table:
    table = Table(box=None, padding=(0, 3, 0, 0), header_style="dim")
    table.add_column(f"test, {runs} runs")
    for name in ("mean", "spread", "lowest", "highest"):
        table.add_column(name, justify="right")
    for name, summary in summaries.items():
        others = [f"{value:.4f}" for value in (summary.spread, min(summary.values), max(summary.values))]
        table.add_row(name.replace("_", " "), f"[bold]{summary.mean:.4f}[/]", *others)
    return table


def _at_least_two(text: str) -> int:
    number = int(text)
    if number < 2:  # noqa: PLR2004 - a spread needs two
        message = f"{text} is too few: a spread needs at least 2"
        raise argparse.ArgumentTypeError(message)
    return number
