"""A whole file scored by all usable cores: parts that survive a kill, joined at the end."""

import multiprocessing
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from model_store import bundle as bundles
from model_store.atomic_write import atomic_path
from model_store.bundle import Bundle
from model_store.hashing import file_sha256
from model_store.model import SentimentModel
from model_store.results import require_layer
from model_store.scoring import part_files, worker
from model_store.scoring.part_files import PartFiles, part_folder
from model_store.scoring.records import Part, ScoreError, listed
from model_store.scoring.sources import OutputFormat, Source, open_source, output_format_of
from model_store.scoring.worker import PartReport, ScoreOptions, Scorer, csv_header, vector_width
from model_store.table import column_types
from model_store.usable_cores import usable_cores
from model_store.version import __version__

PARTS_WAITING = 1
"""Parts read ahead for each worker, so that none waits for the reader."""


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


def score_file(
    source: Path,
    *,
    to: Path,
    model: str | Path = "default",
    options: ScoreOptions | None = None,
    workers: int | None = None,
    overwrite: bool = False,
    watch: Callable[[int, float], None] = ignore,
) -> ScoreReport:
    """Write a file's rows with the answers to their texts.

    Finished parts are kept in a folder beside the output until all are there. The same call continues a job that was
    killed, and the output has the same bytes as if it had not been.

    Args:
        source: CSV, TSV, JSON Lines, Parquet or plain text, all but Parquet also gzipped.
        to: the output, ``.csv``, ``.jsonl`` or ``.parquet``.
        model: a bundle's folder, or ``default``.
        options: what to read and write.
        workers: processes; by default one a usable core. 1 is this process.
        overwrite: write an output that is there already anew, and drop parts of another job.
        watch: told of every part: its rows, and its share of the input, from 0 to 1.

    Raises:
        ScoreError: the file cannot be scored, or the output cannot be written; the message says what to do.
        BundleError: the model cannot be used.
        ModelError: the model lacks the layer.
        OSError: a file cannot be read or written.
    """
    options = options or ScoreOptions()
    bundle = bundles.read(bundles.resolve(model))
    require_layer(options.layer, depth=bundle.manifest.architecture.layers)
    output = output_format_of(to)
    if to.resolve() == source.resolve():
        message = f"{to}: the output would replace the input. Give another name with --to."
        raise ScoreError(message)
    input_ = open_source(
        source,
        text_column=options.text_column,
        encoding=options.encoding,
        output=output,
        vectors=options.vectors,
    )
    files = PartFiles(to)
    answers = list(column_types(bundle.manifest, prefix=options.prefix))
    _require_free_names(source, input_, [*answers, *([options.vector_column] if options.vectors != "none" else [])])
    report = ScoreReport(to)
    with part_folder(files, _job(source, bundle, output, options), overwrite=overwrite):
        make = {"options": options, "columns": input_.columns, "output": output, "files": files}
        count = 0

        def unfinished() -> Iterator[Part]:
            nonlocal count
            for part in input_.parts():
                count = part.number + 1
                if files.rows(part.number).exists():
                    report.kept_parts += 1
                    watch(0, part.size / max(input_.size, 1))
                else:
                    yield part

        with closing(_scored(unfinished(), bundle.path, make, workers or usable_cores())) as reports:
            for done in reports:
                report.rows += done.rows
                watch(done.rows + done.bad, done.size / max(input_.size, 1))
        if options.vectors == "none" or output == "parquet":
            files.all_vectors.unlink(missing_ok=True)  # an older run's
        else:
            width = vector_width(bundle.manifest.architecture, options.vectors)
            part_files.join_vectors(files, count, width=width)
        report.bad = part_files.join_bad(files, count)
        _join(files, count, output=output, header=csv_header([*input_.columns, *answers]))
    report.bad_file = files.all_bad if report.bad else None
    return report


def _job(source: Path, bundle: Bundle, output: OutputFormat, options: ScoreOptions) -> dict[str, object]:
    """What two runs must have in common to write parts of one output."""
    return {
        "input": file_sha256(source),
        "model": bundle.sha256,
        "output": output,
        "software": __version__,
        **asdict(options),
    }


def _require_free_names(source: Path, input_: Source, names: list[str]) -> None:
    if taken := [name for name in names if name in input_.columns]:
        message = (
            f"{source}: it already has the columns that the answers would get: {listed(taken)}. "
            "Pass another --prefix for the answers."
        )
        raise ScoreError(message)


def _scored(parts: Iterator[Part], bundle: Path, make: dict[str, Any], workers: int) -> Generator[PartReport]:
    """The reports of the parts, as they are finished; few parts are in memory at a time.

    Processes and not threads: ONNX Runtime and the tokenizer let other threads run, but what is left to Python would
    hold back more than a few. One worker is this process itself.
    """
    if workers == 1:
        yield from map(Scorer(SentimentModel.load(bundle), **make), parts)
        return
    pool = ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),  # a fork would copy the locks of the parent's threads
        initializer=worker.start,
        initargs=(bundle, make),
    )
    running: set[Future[PartReport]] = set()
    try:
        for part in parts:
            running.add(pool.submit(worker.score, part))
            while len(running) >= workers * (1 + PARTS_WAITING):
                finished, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in finished)
        while running:
            finished, running = wait(running, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in finished)
    except BrokenProcessPool as error:
        message = (
            "A worker process ended, perhaps for lack of memory. The finished parts are kept: run the same command "
            "again to go on, with fewer --workers if memory is short."
        )
        raise ScoreError(message) from error
    finally:
        with suppress(BrokenProcessPool):
            pool.shutdown(cancel_futures=True)  # parts at hand are finished, and kept


def _join(files: PartFiles, count: int, *, output: OutputFormat, header: bytes) -> None:
    if output != "parquet":
        part_files.join_text(files, count, header=header if output == "csv" else b"")
        return
    from model_store.scoring.parquet import join_parquet  # noqa: PLC0415 - pyarrow is optional, and 60 MB

    with atomic_path(files.output) as path:
        join_parquet(path, [files.rows(number) for number in range(count)])
