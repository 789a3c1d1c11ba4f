"""The labeled sets that models are measured on, with the options that read them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from training.data.examples import Example, SkippedRows
from training.data.readers import ReadingOptions, read_examples
from training.data.readers.files import read_text_lines
from training.data.readers.penn_treebank import join_tokens

TWO = ("negative", "positive")
THREE = ("negative", "neutral", "positive")

SST_TWO = {"0": "negative", "1": "negative", "2": None, "3": "positive", "4": "positive"}
SST_THREE = {**SST_TWO, "2": "neutral"}

BINARY = {"0": "negative", "1": "positive"}
_GROUPS = ("ambiguous", *THREE)
_EMOTIONS = {
    **{"+".join(groups): None for count in range(1, 5) for groups in combinations(_GROUPS, count)},
    **{label: label for label in THREE},
}
"""Comments whose emotions belong to several groups, or to none of the three, are not measured."""

LINE_BREAKS = re.compile(r"(?:\s*<br\s*/?>\s*)+")
"""The reviews are parts of web pages; clients of a service send no such breaks."""


@dataclass(frozen=True, slots=True)
class MeasuredSet:
    """A labeled set.

    Attributes:
        name: as tables give it.
        labels: of the set: two, or three with a neutral one.
        path: of the file in the folder of data sets.
        options: how it is read, as in ``ReadingOptions``.
    """

    name: str
    labels: tuple[str, ...]
    path: str
    options: dict[str, object]

    @property
    def file_name(self) -> str:
        """Of the copy that the recipe makes."""
        return f"{self.name.lower().replace(' ', '-')}.jsonl"

    def examples(self, folder: Path) -> Iterator[Example]:
        """Every labeled text, with line breaks instead of HTML's."""
        path = folder / self.path
        options = ReadingOptions.among(self.options, on_bad_row="skip")
        rows = _yelp(path) if path.is_dir() else read_examples(path, options)
        for row in rows:
            yield Example(text=LINE_BREAKS.sub("\n", row.text).strip(), label=row.label, line=row.line)


MEASURED = (
    MeasuredSet("SST-2 test", TWO, "sst/test.txt.gz", {"label_map": SST_TWO}),
    MeasuredSet("IMDb test", TWO, "imdb/test.jsonl.gz", {"label_map": BINARY}),
    # Four of its 3,775 lines have a label and no text.
    MeasuredSet("CR", TWO, "cr/custrev.txt", {"format": "lines", "ptb_tokens": True, "label_map": BINARY}),
    MeasuredSet("amazon_reviews", TWO, "amazon_reviews/reviews.jsonl.gz", {"label_map": BINARY}),
    MeasuredSet("Yelp sentences", TWO, "yelp_sentences", {}),
    MeasuredSet("SST test", THREE, "sst/test.txt.gz", {"label_map": SST_THREE}),
    MeasuredSet("airline tweets", THREE, "airline_tweets/tweets.csv.gz", {}),
    MeasuredSet("PhraseBank", THREE, "finance/phrasebank.csv", {"text_column": "news", "ptb_tokens": True}),
    MeasuredSet("NewsMTSC validation", THREE, "newsmtsc/validation.jsonl.gz", {}),
    MeasuredSet("GoEmotions validation", THREE, "goemotions/validation.jsonl.gz", {"label_map": _EMOTIONS}),
)
"""MR is not among them: it holds most of the treebank's test sentences."""


def _yelp(folder: Path) -> Iterator[Example]:
    for number, label in enumerate(TWO):
        for line, text in read_text_lines(folder / f"sentiment.test.{number}.gz", SkippedRows("stop")):
            yield Example(text=join_tokens(text.split()), label=label, line=line)
