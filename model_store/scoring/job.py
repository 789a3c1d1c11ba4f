"""Whole files scored by all usable cores, or by a cluster: parts that survive a kill, joined at the end."""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from model_store import bundle as bundles
from model_store.bundle import Bundle
from model_store.results import require_layer
from model_store.scoring.file_job import FileJob, open_job
from model_store.scoring.part_files import part_folder
from model_store.scoring.processes import score_in_processes
from model_store.scoring.worker import PartReport, ScoreOptions

FILES_AT_ONCE = 256
"""Files whose parts are scored together. Each holds a lock, an open file, of which a process may have 1,024."""

Compute = Callable[[Sequence[FileJob], Bundle, int | None], Generator[tuple[int, PartReport]]]
"""Where parts are scored: gives the report of every part of every job, with the job's index, in any order."""


@dataclass
class ScoreReport:
    """What a job did.

    Attributes:
        output: the file written.
        rows: rows scored in this run.
        bad: rows of the whole input that have no answer; they are in ``bad_file``.
        kept_parts: parts that an earlier run had finished.
        bad_file: the side file, or None if every row of the input has an answer.
    """

    output: Path
    rows: int = 0
    bad: int = 0
    kept_parts: int = 0
    bad_file: Path | None = None


def ignore(rows: int, share: float) -> None:
    """Report no progress."""


def score_file(source: Path, *, to: Path, **options: Any) -> ScoreReport:  # noqa: ANN401 - those of score_files
    """Score one file; ``options`` and errors are those of ``score_files``."""
    (report,) = score_files({source: to}, **options)
    return report


def score_files(
    outputs: Mapping[Path, Path],
    *,
    model: str | Path = "default",
    options: ScoreOptions | None = None,
    workers: int | None = None,
    compute: Compute = score_in_processes,
    overwrite: bool = False,
    watch: Callable[[int, float], None] = ignore,
) -> list[ScoreReport]:
    """Write the rows of files with the answers to their texts.

    Finished parts are kept in a folder beside each output until all are there. The same call continues a job that was
    killed, and the outputs have the same bytes as if it had not been, wherever parts were scored.

    Args:
        outputs: the inputs, CSV, TSV, JSON Lines, Parquet or plain text, all but Parquet also gzipped; each with its
            output, ``.csv``, ``.jsonl`` or ``.parquet``.
        model: a bundle's folder, or ``default``.
        options: what to read and write.
        workers: how many score at the same time, at most; by default one a usable core.
        compute: where.
        overwrite: write an output that is there already anew, and drop parts of another job.
        watch: told of every part: its rows, and its share of all inputs, from 0 to 1.

    Raises:
        ScoreError: a file cannot be scored, or an output cannot be written or hold what is asked for; the message says
            what to do.
        BundleError: the model cannot be used.
        ModelError: the model lacks the layer.
        OSError: a file cannot be read or written.
    """
    options = options or ScoreOptions()
    bundle = bundles.read(bundles.resolve(model))
    require_layer(options.layer, depth=bundle.manifest.architecture.layers)
    total = sum(max(source.stat().st_size, 1) for source in outputs)
    reports: list[ScoreReport] = []
    waiting = iter(outputs.items())
    while group := list(islice(waiting, FILES_AT_ONCE)):
        jobs = [open_job(source, to=to, bundle=bundle, options=options) for source, to in group]
        weights = [max(job.bytes, 1) / total / max(job.input.size, 1) for job in jobs]
        done = [ScoreReport(job.files.output) for job in jobs]
        counts = [0] * len(jobs)
        with ExitStack() as folders:
            for job in jobs:
                folders.enter_context(part_folder(job.files, job.identity, overwrite=overwrite))
            with closing(compute(jobs, bundle, workers)) as parts:
                for index, part in parts:
                    counts[index] += 1
                    done[index].rows += part.rows
                    done[index].kept_parts += part.is_kept
                    watch(part.rows + part.bad, part.size * weights[index])
            for job, report, count in zip(jobs, done, counts, strict=True):
                report.bad = job.join(count)
                report.bad_file = job.files.all_bad if report.bad else None
        reports += done
    return reports
