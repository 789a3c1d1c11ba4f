"""Examples from a labelled file of any format."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Literal

from training.data.examples import DataError, Example, SkippedRows, Unit
from training.data.readers.checks import RowChecker
from training.data.readers.delimited import read_delimited
from training.data.readers.files import read_text_lines
from training.data.readers.json_lines import read_json_lines
from training.data.readers.labelled_lines import read_labelled_lines
from training.data.readers.rows import Row
from training.data.readers.trees import looks_like_a_tree, read_trees

Format = Literal["auto", "csv", "tsv", "jsonl", "parquet", "lines", "trees"]
Trees = Literal["root", "phrases"]
_KnownFormat = Literal["csv", "tsv", "jsonl", "parquet", "lines", "trees"]

_FORMAT_OF_EXTENSION: dict[str, _KnownFormat] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}


def read_examples(
    path: Path,
    *,
    format: Format = "auto",  # noqa: A002 - the word of the option, --data.format
    text_column: str = "text",
    label_column: str = "label",
    trees: Trees = "root",
    ptb_tokens: bool = False,
    label_map: Mapping[str, str | None] | None = None,
    allowed_labels: Collection[str] | None = None,
    bad_rows: SkippedRows,
) -> Iterator[Example]:
    """Read a file's examples one at a time, in the file's order.

    Any file may be gzipped. Blank lines are left out.

    Args:
        path: the file.
        format: ``auto`` goes by the extension and, where that says nothing, by the first line: ``trees`` or ``lines``.
        text_column: the text's column or key, for the formats that have one.
        label_column: the label's column or key.
        trees: of a treebank, whole sentences (``root``) or every distinct phrase and word (``phrases``).
        ptb_tokens: texts are Penn Treebank tokens, to be joined as a person writes them. Trees always are.
        label_map: from labels as they stand in the file to labels; None drops a row on purpose.
        allowed_labels: the labels a model knows, after mapping; any other is a bad row.
        bad_rows: what to do with rows that cannot be used.

    Raises:
        DataError: the file cannot be used, or a row cannot and ``bad_rows`` stops there.
    """
    chosen = _chosen(path, format)
    checker = RowChecker(
        path=path,
        label_from=_label_from(chosen, label_column),
        unit=_counted_in(chosen),
        ptb_tokens=ptb_tokens and chosen != "trees",
        label_map=label_map,
        allowed_labels=allowed_labels,
    )
    rows = _rows(path, chosen, text_column=text_column, label_column=label_column, trees=trees, bad_rows=bad_rows)
    return _examples(rows, checker, bad_rows=bad_rows)


def unit_of(path: Path, format: Format = "auto") -> Unit:  # noqa: A002 - as above
    """What a place in a file is counted in: Parquet has no lines."""
    return _counted_in(_chosen(path, format))


def _chosen(path: Path, format_: Format) -> _KnownFormat:
    return _sniffed(path) if format_ == "auto" else format_


def _counted_in(format_: _KnownFormat) -> Unit:
    return "row" if format_ == "parquet" else "line"


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


def _rows(
    path: Path, format_: _KnownFormat, *, text_column: str, label_column: str, trees: Trees, bad_rows: SkippedRows
) -> Iterator[Row]:
    match format_:
        case "csv" | "tsv":
            return read_delimited(
                path,
                delimiter="," if format_ == "csv" else "\t",
                text_column=text_column,
                label_column=label_column,
                bad_rows=bad_rows,
            )
        case "jsonl":
            return read_json_lines(path, text_column=text_column, label_column=label_column, bad_rows=bad_rows)
        case "parquet":
            from training.data.readers.parquet import read_parquet  # noqa: PLC0415 - pyarrow is 60 MB in memory

            return read_parquet(path, text_column=text_column, label_column=label_column, bad_rows=bad_rows)
        case "lines":
            return read_labelled_lines(path, bad_rows)
        case "trees":
            return read_trees(path, trees=trees, bad_rows=bad_rows)


def _sniffed(path: Path) -> _KnownFormat:
    """The format by extension, ``.gz`` aside, or by the first line that can be read."""
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    if suffixes and suffixes[-1] in _FORMAT_OF_EXTENSION:
        return _FORMAT_OF_EXTENSION[suffixes[-1]]
    first = next(read_text_lines(path, SkippedRows("skip")), (0, ""))[1]
    if first.startswith("{"):  # JSON Lines under another name, often .json: as "lines" its labels would be nonsense
        return "jsonl"
    return "trees" if looks_like_a_tree(first) else "lines"


def _label_from(format_: _KnownFormat, label_column: str) -> str:
    match format_:
        case "lines":
            return "as the first word of its line"
        case "trees":
            return "on every node"
        case _:
            return f'in column "{label_column}"'


def _nothing_usable(path: Path, *, bad: int, dropped: int, bad_rows: SkippedRows) -> DataError:
    first = [error.headline for error in bad_rows.first if error.path == path][:1]
    return DataError(
        path,
        None,
        problem=f"no usable row ({bad:,} bad, {dropped:,} left out by --data.label_map).",
        fix="\n".join([*first, "Check the file's format with --data.format, its columns and its labels."]),
    )
