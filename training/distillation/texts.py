"""Texts for a teacher to score, with their labels where they have some."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from training.data.examples import LeftOut
from training.data.progress import watched
from training.data.readers import read_examples
from training.data.readers.files import read_text_lines
from training.data.readers.reading import Trees
from training.data.tokenized_files import ReadingOptions


@dataclass(frozen=True, slots=True)
class Text:
    """A text to score.

    Attributes:
        text: the text.
        label: its label, or None.
        group: texts in a row with the same number get one score, the mean of theirs; None stands alone.
    """

    text: str
    label: str | None
    group: int | None = None


def read_texts(path: Path, options: ReadingOptions, *, labelled: bool, trees: Trees) -> Iterator[Text]:
    """Every usable text of a file, in its order.

    Args:
        path: the file.
        options: how it is read.
        labelled: false for files without labels: of those in lines the whole line is the text, of the others the text
            column is all that is looked at.
        trees: of a treebank, whole sentences or every phrase.

    Raises:
        DataError: the file cannot be used, or a row cannot and the options say to stop there.
    """
    bad_rows = LeftOut(options.on_bad_row)
    if not labelled and options.format == "lines":
        yield from (Text(line.strip(), None) for _, line in read_text_lines(path, bad_rows))
        return
    examples = read_examples(
        path,
        format=options.format,
        text_column=options.text_column,
        label_column=options.label_column if labelled else options.text_column,
        trees=trees,
        ptb_tokens=options.ptb_tokens,
        label_map=options.label_map if labelled else None,
        bad_rows=bad_rows,
    )
    for example in watched(examples, f"Reading {path.name}"):
        yield Text(example.text, example.label if labelled else None)
