"""Rows of a text file whose every line is a label, white space, and a text."""

import re
from collections.abc import Iterator
from pathlib import Path

from training.data.examples import SkippedRows
from training.data.readers.encodings import AUTO
from training.data.readers.files import read_text_lines
from training.data.readers.rows import Row

_LABEL_THEN_TEXT = re.compile(r"(\S*)\s*(.*)", re.DOTALL)  # matches any line


def read_labeled_lines(path: Path, bad_rows: SkippedRows, encoding: str = AUTO) -> Iterator[Row]:
    """Rows with their lines, white space at the end taken off; a line that starts with white space has no label."""
    for line, content in read_text_lines(path, bad_rows, encoding):
        parts = _LABEL_THEN_TEXT.match(content.rstrip())
        label, text = parts.groups() if parts else ("", "")
        yield Row(line=line, text=text, label=label)
