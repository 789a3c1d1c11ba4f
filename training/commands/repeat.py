"""``python -m training repeat``: the same run with several seeds; mean and spread of its test metrics."""

import contextlib
import io
import json
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import yaml
from rich.table import Table
from rich.text import Text

from model_store.atomic_write import write_json
from model_store.plain_console import plain_console
from training.commands.fit_options import check_names, with_shipped_configs
from training.commands.parser import UsageError, parse, plain_errors, split_arguments
from training.evaluation.tables import plain_table
from training.fit.run_files import METRICS

DESCRIPTION = """\
Trains with seeds 1, 2, ... into FOLDER/seed-1, FOLDER/seed-2, ... where FOLDER is the config's
trainer.default_root_dir. Prints mean and spread (sample standard deviation) of every test metric, and writes them to
FOLDER/metrics.json. All other options are those of fit, --config included; a test file is needed.

  python -m training repeat --seeds 3 --config training/configs/sample.yaml
"""

MINIMUM_SEEDS = 2
"""A sample standard deviation needs two values."""


@dataclass(frozen=True, slots=True)
class Run:
    """One training run of several: its folder and its options for fit."""

    folder: Path
    options: list[str]


@dataclass(frozen=True, slots=True)
class Summary:
    """A metric over several runs: its mean, and its sample standard deviation (dividing by runs - 1)."""

    mean: float
    spread: float
    values: list[float]


@dataclass(frozen=True, kw_only=True)
class RepeatOptions:
    """Options of ``repeat`` in addition to those of ``fit``.

    Attributes:
        seeds: number of seeds, counted from 1; at least 2.
        resume: keep finished runs, and resume an unfinished one from its last checkpoint.
    """

    seeds: int = 3
    resume: bool = False


def main(arguments: list[str]) -> None:
    """Run the command; exit as the first run that fails does."""
    own, fit_options = split_arguments(arguments, RepeatOptions)
    options = RepeatOptions(**parse(RepeatOptions, own, command="repeat", description=DESCRIPTION))
    with plain_errors("repeat"):
        if options.seeds < MINIMUM_SEEDS:
            message = f"--seeds is {options.seeds}, but a spread needs at least {MINIMUM_SEEDS}"
            raise UsageError(message)
        config = resolved_config(fit_options, command="repeat", options=RepeatOptions)
        if config["data"]["test"] is None:
            message = "a test file is needed to compare the runs: pass --data.test FILE"
            raise UsageError(message)
        root = Path(config["trainer"]["default_root_dir"])
        seeds = range(1, options.seeds + 1)
        runs = [Run(root / f"seed-{seed}", [*fit_options, f"--seed_everything={seed}"]) for seed in seeds]
        train_and_summarize(runs, root, resume=options.resume)


def train_and_summarize(runs: Sequence[Run], root: Path, *, resume: bool) -> dict[str, Summary]:
    """Train one run after the other, each in its own process, then print and write their metrics.

    Each run is then the same as a run of ``fit``: its record names its command, several GPUs work, and no state is
    shared between runs.

    Raises:
        SystemExit: a run failed; with its exit status, and what to do.
    """
    console = plain_console(stderr=True)
    for index, run in enumerate(runs, start=1):
        if resume and is_finished(run.folder):
            console.print(Text.assemble((str(run.folder), "bold"), " is finished: kept"))
            continue
        console.print(Text.assemble("\n", (str(run.folder), "bold"), f" ({index} of {len(runs)})"))
        _train(run, resume=resume)
    results = {run.folder.name: _metrics(run.folder) for run in runs}
    summaries = summarize([result["test"] for result in results.values()])
    content = {"test": {name: asdict(summary) for name, summary in summaries.items()}, "runs": results}
    write_json(root / METRICS, content)
    plain_console().print(_table(summaries, runs=len(results)))
    return summaries


def summarize(results: Sequence[Mapping[str, float]]) -> dict[str, Summary]:
    """Mean and spread of each metric over two or more runs."""
    columns = {name: [result[name] for result in results] for name in results[0]}
    return {
        name: Summary(statistics.fmean(values), statistics.stdev(values), values) for name, values in columns.items()
    }


def resolved_config(
    arguments: Sequence[str], *, command: str = "fit", options: type[Any] | None = None
) -> dict[str, Any]:
    """The config that fit would train with, defaults included, without reading any data.

    Args:
        arguments: options for fit.
        command: the command that the errors name.
        options: the dataclass of that command's own options.

    Raises:
        SystemExit: with 2 if an option is not one of fit's.
    """
    keys = [] if options is None else [field.name for field in fields(options)]
    check_names(arguments, keys)
    from training.commands.fit import fit

    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            fit([*with_shipped_configs(arguments), "--print_config"], command=command, other_keys=keys)
    except SystemExit as end:
        if end.code:
            raise
    content: dict[str, Any] = yaml.safe_load(printed.getvalue())
    return content


def is_finished(folder: Path) -> bool:
    """Whether a run is complete and has test metrics."""
    if not (folder / METRICS).is_file():
        return False
    content = _metrics(folder)
    return content["finished"] is True and "test" in content


def _train(run: Run, *, resume: bool) -> None:
    options = [*run.options, f"--trainer.default_root_dir={run.folder}"]
    if resume and any((run.folder / "checkpoints").glob("last*.ckpt")):
        options.append("--ckpt_path=last")
    process = subprocess.run([sys.executable, "-m", "training", "fit", *options], check=False)  # noqa: S603 - ourselves
    if process.returncode:
        sys.stderr.write(
            f"{run.folder}: the run failed; fix the cause and pass --resume, which keeps the finished runs\n"
        )
        raise SystemExit(process.returncode)


def _metrics(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / METRICS).read_text(encoding="utf-8"))
    return content


def _table(summaries: Mapping[str, Summary], *, runs: int) -> Table:
    table = plain_table(f"test, {runs} runs", "mean", "spread", "lowest", "highest")
    for name, summary in summaries.items():
        others = [f"{value:.4f}" for value in (summary.spread, min(summary.values), max(summary.values))]
        table.add_row(name.replace("_", " "), Text(f"{summary.mean:.4f}", "bold"), *others)
    return table
