"""Examples from a labeled file of any format."""

from collections.abc import Collection, Iterator
from pathlib import Path

from training.data.examples import DataError, Example, SkippedRows, Unit
from training.data.progress import watched
from training.data.readers.checks import RowChecker
from training.data.readers.formats import Format, ReadingOptions, format_of
from training.data.readers.rows import Row
from training.data.readers.stars import with_stars

DEFAULTS = ReadingOptions()


def read_examples(
    path: Path,
    options: ReadingOptions = DEFAULTS,
    *,
    allowed_labels: Collection[str] | None = None,
    bad_rows: SkippedRows | None = None,
) -> Iterator[Example]:
    """Read a file's examples one at a time, in the file's order, and show how far that is.

    Any file may be gzipped. Blank lines are left out.

    Args:
        path: the file.
        options: how it is read.
        allowed_labels: the labels a model knows, after mapping; any other is a bad row.
        bad_rows: counts rows that cannot be used, and its policy is followed; by default ``options.on_bad_row`` is.

    Raises:
        DataError: the file cannot be used, or a row cannot and the policy is to stop there.
    """
    bad_rows = SkippedRows(options.on_bad_row) if bad_rows is None else bad_rows
    format_ = format_of(path, options.format, options.encoding)
    checker = RowChecker(
        path=path,
        label_from=format_.label_place.format(label_column=options.label_column),
        unit=format_.unit,
        ptb_tokens=options.ptb_tokens and not format_.joined,
        html=options.html,
        label_separator=options.label_separator if options.multi_label else None,
        label_map=with_stars(options.label_map) if options.stars else options.label_map,
        allowed_labels=allowed_labels,
    )
    return watched(_examples(format_.read(path, options, bad_rows), checker, bad_rows=bad_rows), f"Reading {path.name}")


def unit_of(path: Path, format: Format = "auto") -> Unit:  # noqa: A002 - the word of the option, --format
    """The unit of positions in a file: Parquet has no lines."""
    return format_of(path, format).unit


def _examples(rows: Iterator[Row], checker: RowChecker, *, bad_rows: SkippedRows) -> Iterator[Example]:
    usable, dropped, bad_before = 0, 0, bad_rows.count
    for row in rows:
        try:
            example = checker.example(row)
        except DataError as error:
            bad_rows.record(error)
            continue
        if example is None:
            dropped += 1
        else:
            usable += 1
            yield example
    if not usable:
        raise _nothing_usable(checker.path, bad=bad_rows.count - bad_before, dropped=dropped, bad_rows=bad_rows)


def _nothing_usable(path: Path, *, bad: int, dropped: int, bad_rows: SkippedRows) -> DataError:
    first = [error.headline for error in bad_rows.first if error.path == path][:1]
    return DataError(
        path,
        None,
        problem=f"no usable row ({bad:,} bad, {dropped:,} left out by --label_map).",
        fix="\n".join([*first, "Check the file's format with --format, its columns and its labels."]),
    )
