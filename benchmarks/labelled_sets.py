"""The labelled texts that ``accuracy.py`` measures on and its baselines learn from, read by the project's readers."""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from training.data.examples import Example, SkippedRows
from training.data.leakage import LeakageFilter, drop_leaks, skipped_leaks
from training.data.readers import ReadingOptions, read_examples
from training.data.readers.files import read_text_lines
from training.data.readers.penn_treebank import join_tokens

TWO = ("negative", "positive")
THREE = ("negative", "neutral", "positive")

_BINARY = {"0": "negative", "1": "positive"}
_SST_TWO = {"0": "negative", "1": "negative", "2": None, "3": "positive", "4": "positive"}
_SST_THREE = {**_SST_TWO, "2": "neutral"}
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class LabelledSet:
    """Texts as a person writes them, their labels' names, and the labels there are."""

    name: str
    labels: tuple[str, ...]
    texts: list[str]
    truth: list[str]

    def __len__(self) -> int:
        return len(self.texts)


def sets_to_measure(folder: Path, *, yelp_rows: int, seed: int) -> Iterator[LabelledSet]:
    """Every set to measure on, one after the other. MR is none: it holds most of the treebank's test sentences."""
    sst = folder / "sst" / "test.txt.gz"
    yield _set("SST-2 test", TWO, _read(sst, label_map=_SST_TWO))
    yield _set("IMDb test", TWO, _read(folder / "imdb" / "test.jsonl.gz", label_map=_BINARY))
    reviews = folder / "cr" / "custrev.txt"
    # Four of its 3,775 lines have a label and no text.
    options = {"format": "lines", "ptb_tokens": True, "label_map": _BINARY, "on_bad_row": "skip"}
    yield _set("CR", TWO, _read(reviews, **options))
    yield from _amazon(folder / "amazon_reviews" / "reviews.jsonl.gz")
    yield _set("Yelp sentences test", TWO, _sampled(_yelp(folder / "yelp_sentences"), yelp_rows, seed))
    yield _set("SST test", THREE, _read(sst, label_map=_SST_THREE))
    yield _set("airline tweets", THREE, _read(folder / "airline_tweets" / "tweets.csv.gz"))
    phrasebank = folder / "finance" / "phrasebank.csv"
    yield _set("PhraseBank", THREE, _read(phrasebank, text_column="news", ptb_tokens=True))


def training_set(folder: Path, name: str, labels: tuple[str, ...]) -> LabelledSet:
    """``sst``: every distinct phrase of the training trees; ``imdb``: the training reviews, which have two labels.

    Texts that stand in the test file too are left out.
    """
    if name == "sst":
        train, test = (folder / "sst" / f"{part}.txt.gz" for part in ("train", "test"))
        examples = _read(train, trees="phrases", label_map=_SST_TWO if labels == TWO else _SST_THREE)
    else:
        train, test = (folder / "imdb" / f"{part}.jsonl.gz" for part in ("train", "test"))
        examples = _read(train, label_map=_BINARY)
    return _set(
        name, labels, drop_leaks(examples, LeakageFilter([test], min_words=1), skipped_leaks("drop"), path=train)
    )


def _amazon(path: Path) -> Iterator[LabelledSet]:
    """All reviews, then each domain's."""
    reviews = list(_read(path, label_map=_BINARY))
    domains = {example.line: example.label for example in _read(path, label_column="domain")}
    yield _set("amazon_reviews", TWO, reviews)
    for domain in sorted(set(domains.values())):
        yield _set(f"amazon_reviews: {domain}", TWO, [one for one in reviews if domains[one.line] == domain])


def _yelp(folder: Path) -> Iterator[Example]:
    for number, label in enumerate(TWO):
        for line, text in read_text_lines(folder / f"sentiment.test.{number}.gz", SkippedRows("stop")):
            yield Example(text=join_tokens(text.split()), label=label, line=line)


def _sampled(examples: Iterator[Example], rows: int, seed: int) -> list[Example]:
    every = list(examples)
    return random.Random(seed).sample(every, min(rows, len(every)))  # noqa: S311 - no secret


def _read(path: Path, **options: object) -> Iterator[Example]:
    return read_examples(path, ReadingOptions.among(options))


def _set(name: str, labels: tuple[str, ...], examples: object) -> LabelledSet:
    rows: list[Example] = list(examples)  # type: ignore[call-overload]
    return LabelledSet(name, labels, [_BREAK.sub("\n", row.text) for row in rows], [row.label for row in rows])
