"""Texts for a teacher to score, with their labels if they have any."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from training.data.examples import SkippedRows
from training.data.readers import ReadingOptions, read_examples
from training.data.readers.files import read_text_lines


@dataclass(frozen=True, slots=True)
class Text:
    """A text to score.

    Attributes:
        text: the text.
        label: its label, or None.
        group: consecutive texts with the same number share the mean of their scores; None is scored by itself.
    """

    text: str
    label: str | None
    group: int | None = None


def read_texts(path: Path, options: ReadingOptions, *, labeled: bool) -> Iterator[Text]:
    """All usable texts of a file, in its order.

    Args:
        path: the file.
        options: how it is read.
        labeled: false for files without labels: of those in lines the whole line is the text, of the others the text
            column is all that is looked at.

    Raises:
        DataError: the file cannot be used, or a row cannot and the options say to stop there.
    """
    bad_rows = SkippedRows(options.on_bad_row)
    if not labeled and options.format == "lines":
        yield from (Text(line.strip(), None) for _, line in read_text_lines(path, bad_rows, options.encoding))
        return
    if not labeled:
        options = replace(options, label_column=options.text_column, label_map=None)
    for example in read_examples(path, options, bad_rows=bad_rows):
        yield Text(example.text, example.label if labeled else None)
