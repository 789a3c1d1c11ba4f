"""``python -m model_store score``: label every row of files, on all cores or a cluster; resumable."""

import signal
import sys
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from time import monotonic
from types import FrameType
from typing import TYPE_CHECKING, NoReturn, get_args

import click

from model_store.progress import Progress
from model_store.scoring.records import ScoreError
from model_store.scoring.sources import Vectors
from model_store.scoring.worker import ScoreOptions
from model_store.tokenization import Truncation

if TYPE_CHECKING:
    from model_store.scoring.job import ScoreReport

EXAMPLES = """\b
Examples:
  python -m model_store score reviews.csv --to scored.csv
  python -m model_store score tickets.jsonl.gz --text_column body --to scored.parquet --vectors text
  python -m model_store score lines.txt --to scored.jsonl --model my-model --sentences
  python -m model_store score reviews/*.csv --to "scored/{name}.parquet" --ray

To continue a run that was stopped or killed, give the same command again.
"""

STOPPED = 130
"""Exit code after Ctrl-C or SIGTERM, as shells have it."""


@click.command(epilog=EXAMPLES)
@click.argument(
    "sources", metavar="FILE...", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option(
    "--to", required=True, help="The output: .csv, .jsonl or .parquet. {name} becomes the input's name without ending."
)
@click.option("--text_column", default="text", show_default=True, help="Column or key of the text.")
@click.option("--model", default="default", show_default=True, help="A bundle's folder, or default.")
@click.option("--prefix", default="predicted_", show_default=True, help="Put before the names of the new columns.")
@click.option(
    "--vectors",
    type=click.Choice(get_args(Vectors)),
    default="none",
    show_default=True,
    help="Also keep one vector a text, or every token's representation: a list column in Parquet, "
    "otherwise a float16 .npy file beside the output.",
)
@click.option("--layer", default=-1, show_default=True, help="Whose representations; -1 is the top layer.")
@click.option(
    "--sentences", is_flag=True, help="Also answer each sentence: a list of records in Parquet and JSON Lines."
)
@click.option(
    "--truncate",
    type=click.Choice(get_args(Truncation)),
    default="end",
    show_default=True,
    help="Where a text that is too long is cut; never: it is a bad row.",
)
@click.option("--encoding", default="utf-8", show_default=True, help="Of text files, such as cp1252.")
@click.option("--workers", type=click.IntRange(1), help="Processes; by default one a usable core.")
@click.option(
    "--ray",
    "on_ray",
    is_flag=True,
    help="Score on a Ray cluster: that of RAY_ADDRESS, the one this machine is in, or a new one of this machine alone.",
)
@click.option("--overwrite", is_flag=True, help="Write the output anew, and drop parts of another job.")
def score(
    *,
    sources: tuple[Path, ...],
    to: str,
    text_column: str,
    model: str,
    prefix: str,
    vectors: Vectors,
    layer: int,
    sentences: bool,
    truncate: Truncation,
    encoding: str,
    workers: int | None,
    on_ray: bool,
    overwrite: bool,
) -> None:
    """Label every row of each FILE.

    A FILE is CSV, TSV, JSON Lines, Parquet, or text with one text a line, by its name's ending; all but Parquet may be
    gzipped. Its columns are kept. Rows without an answer go to a side file with their line and the reason.
    """
    from model_store.scoring.job import score_files  # noqa: PLC0415 - `--help` answers at once without it
    from model_store.scoring.processes import score_in_processes  # noqa: PLC0415

    try:
        "".encode(encoding)
    except LookupError:
        message = f"{encoding!r} is not an encoding; try utf-8, cp1252 or latin-1"
        raise click.BadParameter(message, param_hint="--encoding") from None
    options = ScoreOptions(
        text_column=text_column,
        prefix=prefix,
        truncate=truncate,
        vectors=vectors,
        layer=layer,
        sentences=sentences,
        encoding=encoding,
    )
    outputs = _outputs(sources, to)
    compute = score_in_processes
    if on_ray:
        from model_store.scoring.ray_cluster import score_on_ray as compute  # noqa: PLC0415 - Ray is optional
    title = f"Scoring {sources[0].name if len(sources) == 1 else f'{len(sources):,} files'}"
    kilobytes = max(1, sum(source.stat().st_size for source in sources) // 1024)
    begin = monotonic()
    before = signal.signal(signal.SIGTERM, _stop)
    try:
        with Progress(title, total=kilobytes, unit="kB") as progress:
            reports = score_files(
                outputs,
                model=model,
                options=options,
                workers=workers,
                compute=compute,
                overwrite=overwrite,
                watch=partial(_advance, progress, Counter()),
            )
    except KeyboardInterrupt:
        sys.stderr.write("Stopped. The finished parts are kept: give the same command again to go on.\n")
        raise click.exceptions.Exit(STOPPED) from None
    except OSError as error:
        raise ScoreError(str(error)) from error
    finally:
        signal.signal(signal.SIGTERM, before)
    _print(reports, seconds=monotonic() - begin)


def _outputs(sources: Sequence[Path], to: str) -> dict[Path, Path]:
    """Each input with its output.

    Raises:
        ScoreError: two inputs would have the same output.
    """
    outputs: dict[Path, Path] = {}
    inputs: dict[Path, Path] = {}
    for source in dict.fromkeys(sources):
        output = Path(to.replace("{name}", source.name.partition(".")[0] or source.name))
        if output in inputs:
            message = (
                f"{inputs[output]} and {source} would both be written to {output}. "
                "Put {name} into --to, and score files of the same name in runs of their own."
            )
            raise ScoreError(message)
        inputs[output] = source
        outputs[source] = output
    return outputs


def _print(reports: "Sequence[ScoreReport]", *, seconds: float) -> None:
    rows, kept = sum(report.rows for report in reports), sum(report.kept_parts for report in reports)
    rate = f"{_counted(rows)} in {seconds:,.1f} s, {rows / seconds:,.0f} a second"
    rate += f", {kept:,} parts were finished before" if kept else ""
    written = str(reports[0].output) if len(reports) == 1 else f"{len(reports):,} files"
    click.echo(f"Wrote {written}: {rate}.")
    for report in reports:
        if report.bad_file is not None:
            click.echo(f"Without an answer: {_counted(report.bad)}; lines and reasons are in {report.bad_file}.")


def _advance(progress: Progress, done: Counter[str], rows: int, share: float) -> None:
    """Show a part of so many rows, and such a share of the input, as done."""
    done["rows"] += rows
    progress.update(progress.done + round(share * (progress.total or 0)), lambda: _counted(done["rows"]))


def _counted(rows: int) -> str:
    return f"{rows:,} row" if rows == 1 else f"{rows:,} rows"


def _stop(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001 - a signal handler's form
    raise KeyboardInterrupt
