"""``python -m model_store score``: label every row of a file, on all cores, in bounded memory, resumable."""

import signal
import sys
from collections import Counter
from functools import partial
from pathlib import Path
from time import monotonic
from types import FrameType
from typing import NoReturn, get_args

import click

from model_store.progress import Progress
from model_store.scoring.records import ScoreError
from model_store.scoring.sources import Vectors
from model_store.scoring.worker import ScoreOptions
from model_store.tokenization import Truncation

EXAMPLES = """\b
Examples:
  python -m model_store score reviews.csv --to scored.csv
  python -m model_store score tickets.jsonl.gz --text_column body --to scored.parquet --vectors text
  python -m model_store score lines.txt --to scored.jsonl --model my-model --sentences

To continue a run that was stopped or killed, give the same command again.
"""

STOPPED = 130
"""Exit code after Ctrl-C or SIGTERM, as shells have it."""


@click.command(epilog=EXAMPLES)
@click.argument("source", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--to", required=True, type=click.Path(path_type=Path), help="The output: .csv, .jsonl or .parquet.")
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
@click.option("--overwrite", is_flag=True, help="Write the output anew, and drop parts of another job.")
def score(
    *,
    source: Path,
    to: Path,
    text_column: str,
    model: str,
    prefix: str,
    vectors: Vectors,
    layer: int,
    sentences: bool,
    truncate: Truncation,
    encoding: str,
    workers: int | None,
    overwrite: bool,
) -> None:
    """Label every row of FILE.

    FILE is CSV, TSV, JSON Lines, Parquet, or text with one text a line, by its name's ending; all but Parquet may be
    gzipped. Its columns are kept. Rows without an answer go to a side file with their line and the reason.
    """
    from model_store.scoring.job import score_file  # noqa: PLC0415 - `--help` answers at once without it

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
    begin = monotonic()
    before = signal.signal(signal.SIGTERM, _stop)
    try:
        with Progress(f"Scoring {source.name}", total=max(1, source.stat().st_size // 1024), unit="kB") as progress:
            report = score_file(
                source,
                to=to,
                model=model,
                options=options,
                workers=workers,
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
    seconds = monotonic() - begin
    kept = f", {report.kept_parts:,} parts were finished before" if report.kept_parts else ""
    rate = f"{_counted(report.rows)} in {seconds:,.1f} s, {report.rows / seconds:,.0f} a second"
    click.echo(f"Wrote {report.output}: {rate}{kept}.")
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
