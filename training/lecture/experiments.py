"""All experiments by name, and their running: several at a time, each in a process and on a thread of its own.

One thread each makes the numbers independent of how many cores a machine has, and CPU time comparable.
"""

import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import torch

from training.lecture import (
    bidirectionality,
    cliff,
    counting,
    depth,
    linear,
    lstm_against_gru,
    memory,
    vanishing,
)
from training.lecture.results import Claim, Finding
from training.lecture.settings import DiagnosisError, Settings

SizesT = TypeVar("SizesT")


@dataclass(frozen=True, slots=True)
class Experiment(Generic[SizesT]):
    """A claim and its experiment, with its full and its quick sizes."""

    claim: Claim
    investigate: Callable[[Settings, SizesT], Finding]
    full: SizesT
    quick: SizesT

    def run(self, settings: Settings) -> Finding:
        """Run at the full or the quick size, as the settings say."""
        return self.investigate(settings, self.quick if settings.quick else self.full)


_IN_ORDER = (
    Experiment(vanishing.CLAIM, vanishing.investigate, vanishing.VanishingSizes(), vanishing.QUICK),
    Experiment(linear.CLAIM, linear.investigate, linear.LinearSizes(), linear.QUICK),
    Experiment(cliff.CLAIM, cliff.investigate, cliff.CliffSizes(), cliff.QUICK),
    Experiment(memory.CLAIM, memory.investigate, memory.MemorySizes(), memory.QUICK),
    Experiment(counting.CLAIM, counting.investigate, counting.CountingSizes(), counting.QUICK),
    Experiment(depth.CLAIM, depth.investigate, depth.DepthSizes(), depth.QUICK),
    Experiment(
        bidirectionality.CLAIM,
        bidirectionality.investigate,
        bidirectionality.BidirectionalitySizes(),
        bidirectionality.QUICK,
    ),
    Experiment(
        lstm_against_gru.CLAIM,
        lstm_against_gru.investigate,
        lstm_against_gru.LstmAgainstGruSizes(),
        lstm_against_gru.QUICK,
    ),
)

EXPERIMENTS = {experiment.claim.name: experiment for experiment in _IN_ORDER}
"""By the name that ``--only`` takes, in the report's order."""

LONGEST_FIRST = ("depth", "memory", "counting")
"""Started first, so that the cores finish at about the same time."""

_LOOK_EVERY = 0.2  # seconds between two checks for finished experiments


def chosen(only: str | None) -> list[str]:
    """The names in a list such as ``vanishing,depth``, in the report's order; by default all.

    Raises:
        DiagnosisError: a name is unknown.
    """
    if only is None:
        return list(EXPERIMENTS)
    names = [name.strip() for name in only.split(",") if name.strip()]
    unknown = [name for name in names if name not in EXPERIMENTS]
    if unknown or not names:
        message = f"--only has {', '.join(unknown) or 'no name'}; expected one or more of {', '.join(EXPERIMENTS)}"
        raise DiagnosisError(message)
    return [name for name in EXPERIMENTS if name in names]


def run_one(name: str, settings: Settings) -> Finding:
    """Run one experiment on one thread, and note the CPU seconds it took."""
    torch.set_num_threads(1)
    before = time.process_time()
    finding = EXPERIMENTS[name].run(settings)
    return replace(finding, cpu_seconds=time.process_time() - before)


def run_all(
    names: Sequence[str],
    settings: Settings,
    *,
    workers: int,
    started: Callable[[str], None],
    finished: Callable[[str, Finding], None],
    waiting: Callable[[], None],
) -> list[Finding]:
    """Run the experiments, ``workers`` at a time, and return the findings in the order of ``names``.

    Args:
        names: which to run.
        settings: for all of them.
        workers: processes at a time.
        started: called with each name at its start.
        finished: called with each name and finding at its end.
        waiting: called several times a second until all are finished.
    """
    left = sorted(names, key=lambda name: LONGEST_FIRST.index(name) if name in LONGEST_FIRST else len(names))
    findings: dict[str, Finding] = {}
    running: dict[Future[Finding], str] = {}
    # A forked process would inherit torch's threads in whatever state they are.
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        try:
            while left or running:
                while left and len(running) < workers:
                    name = left.pop(0)
                    running[pool.submit(run_one, name, settings)] = name
                    started(name)
                done, _ = wait(running, timeout=_LOOK_EVERY, return_when=FIRST_COMPLETED)
                waiting()
                for future in done:
                    name = running.pop(future)
                    findings[name] = future.result()
                    finished(name, findings[name])
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [findings[name] for name in names]
