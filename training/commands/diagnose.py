"""``python -m training diagnose``: measures the lecture's claims on small networks and on a model of your own."""

import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from model_store.plain_console import plain_console
from model_store.progress import Progress
from model_store.usable_cores import usable_cores
from training.commands.one_label import require_one_label
from training.commands.parser import UsageError, parse, plain_errors
from training.data.examples import DataError
from training.data.readers import ReadingOptions

if TYPE_CHECKING:
    from training.lecture.results import Finding
    from training.lecture.settings import FitConfig, Settings

DESCRIPTION = """\
Tests the lecture's claims on gradients, memory, counting, depth and both directions with small, seeded experiments on
the CPU. Writes OUT/report.html (one file, opens offline), OUT/report.json (every number) and OUT/plots/.

  python -m training diagnose --out report
  python -m training diagnose --out report --only '[vanishing, depth]'
  python -m training diagnose --out report --checkpoint runs/sample/checkpoints/best.ckpt --texts my-texts.txt
  python -m training diagnose --out report --config my.yaml --train my/train.csv --validation my/validation.csv

All claims take about ten minutes on two cores. --quick takes one minute and only shows what the page looks like.
"""

SEEDS = 3  # networks of each kind; their range is shown
QUICK_SEEDS = 2


def main(arguments: list[str]) -> None:
    """Run the command."""
    options = parse(diagnose, arguments, command="diagnose", description=DESCRIPTION)
    from training.fit.checkpoint import CheckpointError
    from training.lecture.settings import DiagnosisError
    from training.network.validation import OptionError

    with plain_errors("diagnose", CheckpointError, DataError, DiagnosisError, OptionError):
        diagnose(**options)


def diagnose(
    *,
    out: Path,
    only: str | list[str] | None = None,
    quick: bool = False,
    config: Path | None = None,
    checkpoint: Path | None = None,
    texts: Path | None = None,
    train: Path | None = None,
    validation: Path | None = None,
    seed: int = 0,
    workers: int = 0,
) -> None:
    """Measure the lecture's claims on the CPU and write report.html, report.json and the plots.

    Args:
        out: the report's folder; an earlier report is replaced.
        only: claim to measure, or several as '[a, b]'; by default all of vanishing, linear, cliff, memory, counting,
            depth, bidirectionality and lstm-gru.
        quick: train for a fraction of the steps: shows the page, but cannot decide a claim.
        config: a config for fit: new sentence classifiers take its model options and learn from its data.
        checkpoint: a model that fit trained; the sections on vanishing and bidirectionality measure it too.
        texts: file of texts for the checkpoint, one per line; by default the sample's test sentences.
        train: labeled file for the claims about accuracy; by default the config's, or the repository's sample.
        validation: labeled file to score on; by default as with train.
        seed: first of the seeds; three networks of each kind are trained, two in a quick run.
        workers: number of experiments at a time, each on one thread; 0 for one per core.
    """
    from training.lecture import experiments, report
    from training.lecture.settings import FitConfig, ModelOptions, read_fit_config

    settings = _settings(
        config=read_fit_config(config) if config else FitConfig(ModelOptions(), ReadingOptions(), None, None),
        quick=quick,
        seed=seed,
        checkpoint=checkpoint,
        texts=texts,
        train=train,
        validation=validation,
    )
    require_one_label(settings.reading, "diagnose")
    names = experiments.chosen(",".join(only) if isinstance(only, list) else only)
    _check(settings)
    started = time.monotonic()
    findings = _run(names, settings, workers=workers or usable_cores())
    command = shlex.join(["python", "-m", "training", *sys.argv[1:]])
    whole = report.DiagnosisReport(findings, settings, command=command, wall_seconds=time.monotonic() - started)
    page = report.write(whole, out)
    console = plain_console(stderr=True)
    for finding in findings:
        held = sum(check.held for check in finding.checks)
        console.print(f"{finding.claim.name:17} {finding.verdict} ({held} of {len(finding.checks)} checks)")
    console.print(f"Wrote {page}: {whole.cpu_seconds:.0f} CPU seconds in {whole.wall_seconds:.0f} s.")


def _settings(
    *,
    config: "FitConfig",
    quick: bool,
    seed: int,
    checkpoint: Path | None,
    texts: Path | None,
    train: Path | None,
    validation: Path | None,
) -> "Settings":
    from training.lecture.settings import SAMPLE, Settings

    if texts and not checkpoint:
        message = "--texts needs --checkpoint, which reads the texts; pass both or neither"
        raise UsageError(message)
    if (train is None) != (validation is None):
        message = "pass --train and --validation together: a network is scored on texts that it was not trained on"
        raise UsageError(message)
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


def _check(settings: "Settings") -> None:
    """Check files and options before the experiments."""
    from training.lecture import checkpoint as lecture_checkpoint
    from training.lecture.sentences import read_sentences

    read_sentences(settings)
    if settings.checkpoint:
        lecture_checkpoint.load(settings.checkpoint)
        lecture_checkpoint.texts_of(settings)


def _run(names: list[str], settings: "Settings", *, workers: int) -> "list[Finding]":
    from training.lecture import experiments

    running: list[str] = []
    with Progress("Measuring", total=len(names), unit="claims") as progress:

        def finished(name: str, finding: "Finding") -> None:
            running.remove(name)
            progress.message(f"{finding.claim.title}: {finding.verdict}")
            progress.advance()

        def waiting() -> None:
            progress.update(progress.done, lambda: f"at work: {', '.join(running)}")

        return experiments.run_all(
            names, settings, workers=workers, started=running.append, finished=finished, waiting=waiting
        )
