"""``python -m training diagnose``: the lecture's claims, measured on small networks and on the user's own model."""

import os
import shlex
import sys
import time
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentError, ArgumentParser
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from training.commands.parser import Paragraphs, explained, known_keys
from training.data.examples import DataError
from training.fit.checkpoint import CheckpointError
from training.lecture import checkpoint as own_model
from training.lecture import experiments, report
from training.lecture.results import Finding
from training.lecture.sentences import read_sentences
from training.lecture.settings import SAMPLE, DiagnosisError, FitConfig, ModelOptions, Settings, read_fit_config
from training.network.validation import OptionError

DESCRIPTION = """\
Puts the lecture's claims on gradients, memory, counting, depth and both directions to small, seeded experiments on the
CPU, and writes OUT/report.html (one file, opens offline), OUT/report.json (every number) and OUT/plots/.

  python -m training diagnose --out report
  python -m training diagnose --out report --only vanishing,depth
  python -m training diagnose --out report --checkpoint runs/sample/checkpoints/best.ckpt --texts my-texts.txt
  python -m training diagnose --out report --config my.yaml --train my/train.csv --validation my/validation.csv

All of it takes about ten minutes on two cores; --quick takes one and is for a look at the page.
"""

SEEDS = 3  # networks of each kind; their range is shown
QUICK_SEEDS = 2


def main(arguments: list[str]) -> None:
    """Runs the command; exits with 1 and a plain message where something is wrong with what it was given."""
    try:
        diagnose(**_parsed(with_bare_quick(arguments)))
    except (CheckpointError, DataError, DiagnosisError, OptionError) as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(1) from None


def _parsed(arguments: list[str]) -> dict[str, Any]:
    # The parser of the other commands has a --config of its own, for a file of options; here it names one for fit.
    parser = ArgumentParser(
        prog="python -m training diagnose",
        description=DESCRIPTION,
        formatter_class=Paragraphs,
        allow_abbrev=False,
        exit_on_error=False,
    )
    parser.add_function_arguments(diagnose, as_group=False)
    try:
        given = parser.parse_args(arguments)
    except ArgumentError as error:
        told = explained(str(error), known_keys(parser))
        sys.stderr.write(f"{told}\nEvery option: python -m training diagnose --help\n")
        raise SystemExit(2) from None
    return given.as_dict()


def with_bare_quick(arguments: list[str]) -> list[str]:
    """``--quick`` alone means ``--quick=true``; jsonargparse's options all take a value."""
    following = [*arguments, "--"][1:]
    return [
        "--quick=true" if argument == "--quick" and after.startswith("-") else argument
        for argument, after in zip(arguments, following, strict=True)
    ]


def diagnose(
    *,
    out: Path,
    only: str | None = None,
    quick: bool = False,
    config: Path | None = None,
    checkpoint: Path | None = None,
    texts: Path | None = None,
    train: Path | None = None,
    validation: Path | None = None,
    seed: int = 0,
    workers: int = 0,
) -> None:
    """Measures the lecture's claims on the CPU and writes report.html, report.json and the plots.

    Args:
        out: the report's folder; a report that is there is replaced.
        only: the claims to measure, such as vanishing,depth; by default all of vanishing, linear, cliff, memory,
            counting, depth, bidirectionality and lstm-gru.
        quick: a fraction of the training: to see the page, not to judge a claim.
        config: a config for fit, whose model options fresh sentence classifiers take, and whose data they learn.
        checkpoint: a model that fit trained; the sections on vanishing and bidirectionality look at it too.
        texts: what the checkpoint reads, one text a line; by default the sample's test sentences.
        train: labelled file for the claims about accuracy; by default the config's, or the repository's sample.
        validation: labelled file to score on; by default as with train.
        seed: first of the seeds; three networks of each kind are trained, two in a quick run.
        workers: experiments at a time, each on one thread; 0 for one a core.
    """
    settings = _settings(
        config=read_fit_config(config) if config else FitConfig(ModelOptions(), {}, None, None),
        quick=quick,
        seed=seed,
        checkpoint=checkpoint,
        texts=texts,
        train=train,
        validation=validation,
    )
    names = experiments.chosen(only)
    _check(settings)
    started = time.monotonic()
    findings = _run(names, settings, workers=workers or len(os.sched_getaffinity(0)))
    command = shlex.join(["python", "-m", "training", *sys.argv[1:]])
    whole = report.Report(findings, settings, command=command, wall_seconds=time.monotonic() - started)
    page = report.write(whole, out)
    console = Console(stderr=True)
    for finding in findings:
        held = sum(check.held for check in finding.checks)
        console.print(f"{finding.claim.name:17} {finding.verdict} ({held} of {len(finding.checks)} checks)")
    console.print(f"Wrote {page}: {whole.cpu_seconds:.0f} CPU seconds in {whole.wall_seconds:.0f} s.")


def _settings(
    *,
    config: FitConfig,
    quick: bool,
    seed: int,
    checkpoint: Path | None,
    texts: Path | None,
    train: Path | None,
    validation: Path | None,
) -> Settings:
    if texts and not checkpoint:
        message = "--texts is what a checkpoint reads; pass --checkpoint too, or leave it out"
        raise DiagnosisError(message)
    if (train is None) != (validation is None):
        message = "pass --train and --validation together: a network is scored on texts it has not learnt"
        raise DiagnosisError(message)
    given = (train or config.train, validation or config.validation)
    sample = (SAMPLE / "train.csv", (SAMPLE / "validation.csv", SAMPLE / "test.csv"))
    return Settings(
        quick=quick,
        seeds=tuple(range(seed, seed + (QUICK_SEEDS if quick else SEEDS))),
        model=config.model,
        train=given[0] or sample[0],
        validation=(given[1],) if given[1] else sample[1],
        reading=config.reading,
        checkpoint=checkpoint,
        texts=texts,
    )


def _check(settings: Settings) -> None:
    """Finds what is wrong with files and options now, not after ten minutes."""
    read_sentences(settings)
    if settings.checkpoint:
        own_model.load(settings.checkpoint)
        own_model.texts_of(settings)


def _run(names: list[str], settings: Settings, *, workers: int) -> list[Finding]:
    progress = Progress(
        SpinnerColumn(finished_text=" "),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )
    lines: dict[str, TaskID] = {}
    with progress:
        whole = progress.add_task("all claims", total=len(names))

        def started(name: str) -> None:
            lines[name] = progress.add_task(experiments.EXPERIMENTS[name].claim.title, total=None)

        def finished(name: str, finding: Finding) -> None:
            title = f"{finding.claim.title}: {finding.verdict}"
            progress.update(lines[name], description=title, total=1, completed=1)
            progress.advance(whole)

        return experiments.run_all(names, settings, workers=workers, started=started, finished=finished)
