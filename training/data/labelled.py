"""A labelled file, read whole, with options as a run's config or a command line has them."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from training.data.examples import Example, SkippedRows
from training.data.readers import read_examples
from training.data.readers.reading import Trees

READING = ("format", "text_column", "label_column", "ptb_tokens", "label_map")
"""The options that say how a file is read, named alike for every command."""


def read_labelled(
    path: Path,
    options: Mapping[str, Any],
    *,
    trees: Trees = "root",
    allowed_labels: Collection[str] | None = None,
    bad_rows: SkippedRows,
) -> list[Example]:
    """Every usable row.

    Args:
        path: the file.
        options: those in ``READING`` are used, others passed over; what is absent or None is as in ``read_examples``.
        trees: whole sentences or every phrase.
        allowed_labels: the labels a model knows; any other is a bad row.
        bad_rows: what to do with rows that cannot be used.

    Raises:
        DataError: as ``read_examples``.
    """
    reading = {name: options[name] for name in READING if options.get(name) is not None}
    return list(read_examples(path, **reading, trees=trees, allowed_labels=allowed_labels, bad_rows=bad_rows))
