"""What is in a labeled file, found in one pass: labels, lengths, unknown words, repeated texts, suspicious rows."""

import re
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
from tokenizers import Tokenizer

from model_store.table import LABEL_SEPARATOR
from training.data.examples import Example
from training.data.readers.html import holds_html
from training.data.repeated_texts import RepeatedTexts, Repeats

QUANTILES = {"shortest": 0.0, "5%": 0.05, "25%": 0.25, "median": 0.5, "75%": 0.75, "95%": 0.95, "longest": 1.0}

VERY_LONG = 1000
"""Tokens; a text with more is a document, or several rows that became one by a quote that is never closed."""

SEPARATORS = (LABEL_SEPARATOR, ";", ",", "+", "/")
"""Characters that may be between the labels of a text, in the order in which they are tried."""

MAX_LABELS = 10_000
"""Different labels that are counted; a file with more has something else in that column."""

_CHUNK = 1024  # texts tokenized together
_WORDS_KEPT = 50_000  # different unknown words that are counted
_WORDS_SHOWN = 12
_LINES_SHOWN = 5

_WORD = re.compile(r"[^\W\d_]+(?:'[a-z]+)?")
_DAMAGED = re.compile("\N{REPLACEMENT CHARACTER}|\u00c3[\u0080-\u00bf\u0192\u201a\u00a9]|\u00e2\u20ac")
"""Characters that were lost, and UTF-8 that was read as Windows-1252."""

_FUNCTION_WORDS = """
    a about after all and are as at be been but by can did do for from had has have he her his how i if in is it its
    just like me more my no not of on or our out she so than that the their them then there they this to up very was we
    were what when which who will with would you your
"""
_ENGLISH = frozenset(_FUNCTION_WORDS.split())
_ENOUGH_WORDS = 8  # English of this many words has one of those above but for headlines and lists


@dataclass(slots=True)
class Noted:
    """Rows of one kind: their number and the lines of the first few."""

    rows: int = 0
    lines: list[int] = field(default_factory=list)

    def add(self, line: int) -> None:
        """Note a row."""
        self.rows += 1
        if len(self.lines) < _LINES_SHOWN:
            self.lines.append(line)


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found in a file's usable rows.

    Attributes:
        rows: their number.
        labels: number of texts by label, the most frequent first.
        labels_per_text: number of texts by how many labels they have, if they may have any number; else empty.
        separated: for each separator, the share of texts whose label has several parts by it, most of them known from
            other texts; above 0 if the labels are probably several.
        tokens: number of tokens of a text, by the names in ``QUANTILES``.
        unknown_share: share of all tokens that the vocabulary lacks.
        unknown_words: the most frequent of them, with their numbers.
        duplicates, contradictions, similar: see ``RepeatedTexts``.
        suspicious: rows to look at, by the kind of what is odd about them.
    """

    rows: int
    labels: dict[str, int]
    labels_per_text: dict[int, int]
    separated: dict[str, float]
    tokens: dict[str, int]
    unknown_share: float
    unknown_words: dict[str, int]
    duplicates: Repeats
    contradictions: Repeats
    similar: Repeats
    suspicious: dict[str, Noted]


def _is_not_english(text: str) -> bool:
    words = _WORD.findall(text.lower())
    return len(words) >= _ENOUGH_WORDS and _ENGLISH.isdisjoint(words)


ODD_TEXTS: Mapping[str, Callable[[str], bool]] = {
    "perhaps not English": _is_not_english,
    "damaged characters": lambda text: _DAMAGED.search(text) is not None,
    "HTML": holds_html,
}
"""What is odd about a text by itself, and how to see it."""

NO_TOKEN, UNREADABLE, LONG = "without a token", "mostly unknown words", f"more than {VERY_LONG:,} tokens"


def inspect_examples(
    examples: Iterable[Example], pipeline: Tokenizer, *, unknown_token: str, max_unknown_share: float
) -> Inspection:
    """Read examples as they come; 32 bytes a row stay in memory, and at the end three times as many for sorting.

    Args:
        examples: a file's usable rows.
        pipeline: tokenizes the texts.
        unknown_token: stands for what the vocabulary lacks.
        max_unknown_share: a text of which more is unknown is suspicious.
    """
    labels: Counter[str] = Counter()
    sets: Counter[str] = Counter()
    sizes: Counter[int] = Counter()
    numbers: dict[str, int] = {}
    lengths = array("I")
    repeats = RepeatedTexts()
    unknown_words: Counter[str] = Counter()
    unknown = 0
    suspicious = {kind: Noted() for kind in (NO_TOKEN, UNREADABLE, LONG, *ODD_TEXTS)}
    unknown_id = pipeline.token_to_id(unknown_token)
    for example, ids, offsets in _tokenized(examples, pipeline):
        label = example.label if example.label in numbers or len(numbers) < MAX_LABELS else ""
        sets[label] += 1
        for name in (label,) if example.labels is None else example.labels:
            labels[name if name in labels or len(labels) < MAX_LABELS else ""] += 1
        if example.labels is not None:
            sizes[len(example.labels)] += 1
        repeats.add(example.text, label=numbers.setdefault(label, len(numbers)), line=example.line)
        lengths.append(len(ids))
        missing = [example.text[start:end] for id_, (start, end) in zip(ids, offsets, strict=True) if id_ == unknown_id]
        unknown += len(missing)
        for word in missing:
            if word in unknown_words or len(unknown_words) < _WORDS_KEPT:
                unknown_words[word] += 1
        kinds = {
            NO_TOKEN: not ids,
            UNREADABLE: len(missing) > max_unknown_share * len(ids),
            LONG: len(ids) > VERY_LONG,
            **{kind: is_odd(example.text) for kind, is_odd in ODD_TEXTS.items()},
        }
        for kind, is_so in kinds.items():
            if is_so:
                suspicious[kind].add(example.line)
    return Inspection(
        rows=len(lengths),
        labels=dict(labels.most_common()),
        labels_per_text=dict(sorted(sizes.items())),
        separated={} if max(sizes, default=0) > 1 else _separated(sets),
        tokens=_quantiles(lengths),
        unknown_share=unknown / max(1, sum(lengths)),
        unknown_words=dict(unknown_words.most_common(_WORDS_SHOWN)),
        duplicates=repeats.duplicates(),
        contradictions=repeats.contradictions(),
        similar=repeats.similar(),
        suspicious={kind: noted for kind, noted in suspicious.items() if noted.rows},
    )


def _separated(labels: Mapping[str, int]) -> dict[str, float]:
    """The separators that are probably between labels, the one in most texts first."""
    found = {}
    for separator in SEPARATORS:
        parts = {label: [part.strip() for part in label.split(separator)] for label in labels}
        uses = Counter(part for label in labels for part in set(parts[label]))
        several = [label for label in labels if len(parts[label]) > 1]
        # Labels that only look like lists, such as sentences with commas, have parts that never come again.
        known = [label for label in several if all(uses[part] > 1 for part in parts[label])]
        if several and len(known) > len(several) / 2:
            found[separator] = sum(labels[label] for label in several) / sum(labels.values())
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _tokenized(
    examples: Iterable[Example], pipeline: Tokenizer
) -> Iterator[tuple[Example, list[int], list[tuple[int, int]]]]:
    rows = iter(examples)
    while chunk := list(islice(rows, _CHUNK)):
        encodings = pipeline.encode_batch([example.text for example in chunk], add_special_tokens=False)
        for example, encoding in zip(chunk, encodings, strict=True):
            yield example, encoding.ids, encoding.offsets


def _quantiles(lengths: "array[int]") -> dict[str, int]:
    values = np.quantile(np.frombuffer(lengths, dtype=np.uint32), list(QUANTILES.values()), method="higher")
    return {name: int(value) for name, value in zip(QUANTILES, values, strict=True)}
