"""Options for reading labelled files."""

from dataclasses import dataclass

from training.data.examples import BadRowPolicy
from training.data.readers import Format


@dataclass(frozen=True, kw_only=True)
class ReadingOptions:
    """How labelled files are read.

    Attributes:
        format: csv, tsv, jsonl, parquet, lines ("label text"), trees (Penn Treebank), or auto: by name and content.
        text_column: column or key of the text (csv, tsv, jsonl, parquet).
        label_column: column or key of the label.
        ptb_tokens: texts are Penn Treebank tokens ("ca n't"), to be joined as a person writes. Trees always are.
        label_map: label in the file to label, such as {"0": negative, "1": positive}; null leaves rows out.
        on_bad_row: stop at a row that cannot be used, or skip and count it.
    """

    format: Format = "auto"
    text_column: str = "text"
    label_column: str = "label"
    ptb_tokens: bool = False
    label_map: dict[str, str | None] | None = None
    on_bad_row: BadRowPolicy = "stop"
