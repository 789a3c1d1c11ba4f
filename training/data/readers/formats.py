"""File formats: one table that reading, guessing a format, messages and ``--help`` are made from.

A new format is an entry in ``FORMATS``.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from model_store.table import LABEL_SEPARATOR
from training.data.examples import BadRowPolicy, SkippedRows, Unit
from training.data.readers.delimited import read_delimited
from training.data.readers.encodings import AUTO
from training.data.readers.files import first_line
from training.data.readers.json_array import read_json_array, starts_json_array
from training.data.readers.json_lines import read_json_lines
from training.data.readers.labeled_lines import read_labeled_lines
from training.data.readers.rows import Row
from training.data.readers.trees import looks_like_a_tree, read_trees

Trees = Literal["root", "phrases"]


@dataclass(frozen=True, kw_only=True)
class FileFormat:
    """A file format: how its files are recognized and read.

    Attributes:
        read: the file's rows; bad ones are recorded.
        note: what ``--help`` adds to the name.
        extensions: by which ``auto`` recognizes it, lower-case.
        starts_with: whether a line can be the first one of such a file; used if the extension does not decide.
        unit: what a position in the file is counted in.
        label_place: the place of the label in the file, for messages.
        joined: whether ``read`` itself joins Penn Treebank tokens.
    """

    read: "Callable[[Path, ReadingOptions, SkippedRows], Iterator[Row]]"
    note: str = ""
    extensions: tuple[str, ...] = ()
    starts_with: Callable[[str], bool] = lambda line: False  # noqa: ARG005 - recognized only by its extension
    unit: Unit = "line"
    label_place: str = 'in column "{label_column}"'
    joined: bool = False


def _columns(options: "ReadingOptions") -> dict[str, str]:
    """What every reader of a format with columns or keys takes."""
    return {"text_column": options.text_column, "label_column": options.label_column}


def _read_delimited(delimiter: str) -> "Callable[[Path, ReadingOptions, SkippedRows], Iterator[Row]]":
    return lambda path, options, bad_rows: read_delimited(
        path, delimiter=delimiter, bad_rows=bad_rows, encoding=options.encoding, **_columns(options)
    )


def _read_json_lines(path: Path, options: "ReadingOptions", bad_rows: SkippedRows) -> Iterator[Row]:
    return read_json_lines(path, bad_rows=bad_rows, encoding=options.encoding, **_columns(options))


def _read_json_array(path: Path, options: "ReadingOptions", bad_rows: SkippedRows) -> Iterator[Row]:
    return read_json_array(path, bad_rows=bad_rows, encoding=options.encoding, **_columns(options))


def _read_parquet(path: Path, options: "ReadingOptions", bad_rows: SkippedRows) -> Iterator[Row]:
    from training.data.readers.parquet import read_parquet  # noqa: PLC0415 - pyarrow is 60 MB in memory

    return read_parquet(path, bad_rows=bad_rows, **_columns(options))


def _read_excel(path: Path, options: "ReadingOptions", bad_rows: SkippedRows) -> Iterator[Row]:
    from training.data.readers.excel import read_excel  # noqa: PLC0415 - of an extra

    return read_excel(path, bad_rows=bad_rows, **_columns(options))


FORMATS: dict[str, FileFormat] = {
    "csv": FileFormat(read=_read_delimited(","), extensions=(".csv",)),
    "tsv": FileFormat(read=_read_delimited("\t"), extensions=(".tsv",)),
    "jsonl": FileFormat(
        read=_read_json_lines,
        extensions=(".jsonl", ".ndjson"),
        starts_with=lambda line: line.startswith("{"),  # often .json; read as lines, its labels would be nonsense
    ),
    "json": FileFormat(read=_read_json_array, note="one array", starts_with=starts_json_array, unit="row"),
    "parquet": FileFormat(read=_read_parquet, extensions=(".parquet",), unit="row"),
    "excel": FileFormat(read=_read_excel, note="first sheet", extensions=(".xlsx", ".xlsm", ".xls"), unit="row"),
    "trees": FileFormat(
        read=lambda path, options, bad_rows: read_trees(
            path, trees=options.trees, bad_rows=bad_rows, encoding=options.encoding
        ),
        note="Penn Treebank",
        starts_with=looks_like_a_tree,
        label_place="on every node",
        joined=True,
    ),
    "lines": FileFormat(
        read=lambda path, options, bad_rows: read_labeled_lines(path, bad_rows, options.encoding),
        note='"label text"',
        starts_with=lambda line: True,  # noqa: ARG005 - what no other format recognizes
        label_place="as the first word of its line",
    ),
}

if TYPE_CHECKING:
    Format = str
else:
    Format = Literal[("auto", *FORMATS)]
    """A name in ``FORMATS``, or ``auto``: by extension and content."""

FORMAT_HELP = ", ".join(f"{name} ({format_.note})" if format_.note else name for name, format_ in FORMATS.items())


@dataclass(frozen=True, kw_only=True)
class ReadingOptions:
    """Options for reading a labeled file.

    Args:
        format: FORMATS, or auto: by name and content.
        encoding: auto (UTF-8, or UTF-16 if the file shows it), or Python's name of another, such as cp1252.
        text_column: column or key of the text, in formats that have such.
        label_column: column or key of the label.
        trees: of a treebank, whole sentences (root), or every distinct phrase and word (phrases).
        ptb_tokens: texts are Penn Treebank tokens ("ca n't"), to be joined as a person writes. Trees always are.
        html: entities and line breaks of HTML in texts are read as what they stand for.
        stars: labels are stars, from 1 to 5: 1 and 2 mean negative, 3 neutral, 4 and 5 positive.
        multi_label: a text has any number of labels: a list, or one field with a separator between them. An empty or
            missing field means none.
        label_separator: between the labels of one field.
        label_map: raw label to label; null leaves those rows out, or with multi_label the label.
        on_bad_row: stop at a row that cannot be used, or skip and count it.
    """

    format: Format = "auto"
    encoding: str = AUTO
    text_column: str = "text"
    label_column: str = "label"
    trees: Trees = "root"
    ptb_tokens: bool = False
    html: bool = False
    stars: bool = False
    multi_label: bool = False
    label_separator: str = LABEL_SEPARATOR
    label_map: dict[str, str | None] | None = None
    on_bad_row: BadRowPolicy = "stop"

    @classmethod
    def among(cls, options: Mapping[str, Any], **changes: Any) -> "ReadingOptions":  # noqa: ANN401 - of many types
        """The reading options among a run's or a command's options, with ``changes``.

        Options that are absent or None have their defaults; so have changes that are None.
        """
        given = {**options, **{name: value for name, value in changes.items() if value is not None}}
        names = [field.name for field in fields(cls)]
        return cls(**{name: given[name] for name in names if given.get(name) is not None})


ReadingOptions.__doc__ = (ReadingOptions.__doc__ or "").replace("FORMATS", FORMAT_HELP)


def format_of(path: Path, name: Format = "auto", encoding: str = AUTO) -> FileFormat:
    """The named format, or for ``auto`` the one that the extension (``.gz`` aside) or the first line shows.

    Raises:
        DataError: only the first line shows the format, and the file cannot be used.
    """
    if name != "auto":
        return FORMATS[name]
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    for format_ in FORMATS.values():
        if suffixes and suffixes[-1] in format_.extensions:
            return format_
    line = first_line(path, encoding)
    return next(format_ for format_ in FORMATS.values() if format_.starts_with(line))
