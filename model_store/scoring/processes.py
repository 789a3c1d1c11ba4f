"""Parts scored by processes of this machine.

Processes and not threads: ONNX Runtime and the tokenizer let other threads run, but what is left to Python would hold
back more than a few.
"""

import multiprocessing
from collections.abc import Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress

from model_store.bundle import Bundle
from model_store.model import SentimentModel
from model_store.scoring import worker
from model_store.scoring.file_job import FileJob
from model_store.scoring.records import ScoreError
from model_store.scoring.worker import PartReport, Scorer
from model_store.usable_cores import usable_cores

PARTS_WAITING = 1
"""Parts read ahead for each worker, so that none waits for the reader."""


def score_in_processes(
    jobs: Sequence[FileJob], bundle: Bundle, workers: int | None
) -> Generator[tuple[int, PartReport]]:
    """The reports of all parts as they are finished, each with its job's index; few parts are in memory at a time.

    Args:
        jobs: what is to be done, one after the other.
        bundle: the model.
        workers: processes; by default one a usable core. 1 is this process itself.

    Raises:
        ScoreError: an input or the model cannot be used, or a process ended.
    """
    workers = workers or usable_cores()
    if workers == 1:
        yield from _score_here(jobs, bundle)
        return
    pool = ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),  # a fork would copy the locks of the parent's threads
        initializer=worker.start,
        initargs=(bundle.path,),
    )
    running: dict[Future[PartReport], int] = {}
    try:
        for index, job in enumerate(jobs):
            finished = job.finished()
            for part in job.input.parts():
                if part.number in finished:
                    yield index, PartReport(part.number, size=part.size, is_kept=True)
                    continue
                running[pool.submit(worker.score, part, job.make)] = index
                while len(running) >= workers * (1 + PARTS_WAITING):
                    yield from _finished(running)
        while running:
            yield from _finished(running)
    except BrokenProcessPool as error:
        message = (
            "A worker process ended, perhaps for lack of memory. The finished parts are kept: run the same command "
            "again to go on, with fewer --workers if memory is short."
        )
        raise ScoreError(message) from error
    finally:
        with suppress(BrokenProcessPool):
            pool.shutdown(cancel_futures=True)  # parts at hand are finished, and kept


def _score_here(jobs: Sequence[FileJob], bundle: Bundle) -> Generator[tuple[int, PartReport]]:
    model = SentimentModel(bundle)
    for index, job in enumerate(jobs):
        scorer, finished = Scorer(model, **job.make), job.finished()
        for part in job.input.parts():
            is_kept = part.number in finished
            yield index, PartReport(part.number, size=part.size, is_kept=True) if is_kept else scorer(part)


def _finished(running: dict[Future[PartReport], int]) -> Generator[tuple[int, PartReport]]:
    """Wait for the next parts that are finished, and take them out."""
    done, _ = wait(running, return_when=FIRST_COMPLETED)
    for future in done:
        yield running.pop(future), future.result()
