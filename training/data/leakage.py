"""Keeps texts that a model will be measured on out of what it learns from."""

import hashlib
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from model_store.hashing import file_sha256
from training.data.examples import DataError, Example, LeakPolicy, SkippedRows, Unit
from training.data.readers import Format, ReadingOptions, read_examples, unit_of
from training.data.readers.files import Files, open_data, paths
from training.data.text_fingerprint import count_words, text_fingerprint

MIN_WORDS = 4
"""Shorter held-out texts ("No.", "Good movie!") turn up among phrases and reviews by chance. Of the Stanford Sentiment
Treebank's training phrases 18 repeat a test sentence, all of one or two words; 48 of the 2,210 test sentences have
fewer than four."""

_QUOTED = 60  # characters
_HASH_BYTES = 8  # by chance two of a million texts against a million share one in 20 million runs


@dataclass(frozen=True, kw_only=True)
class LeakageOptions:
    """Texts to keep out of the training and the validation files.

    Args:
        held_out: a file, or a list such as [a.csv, b.csv], of texts that the model will be measured on and that
            must not be in the training or validation files; labels are ignored. See docs/reference/data.md.
        on_leak: stop at a held-out text, or drop and count it.
        held_out_min_words: held-out texts with fewer words are ignored, since short texts repeat by chance.
    """

    held_out: Files = field(default_factory=list)
    on_leak: LeakPolicy = "stop"
    held_out_min_words: int = MIN_WORDS

    def filter(self, text_column: str) -> "LeakageFilter | None":
        """The filter for these options; None without held-out files."""
        files = paths(self.held_out)
        return LeakageFilter(files, text_column=text_column, min_words=self.held_out_min_words) if files else None


@dataclass(frozen=True, slots=True)
class Location:
    """The position of a held-out text: a file and its 1-based line; for Parquet, its row."""

    path: Path
    line: int
    unit: Unit = "line"


def skipped_leaks(policy: LeakPolicy) -> SkippedRows:
    """The policy for held-out texts: stop at the first, or drop and count them."""
    return SkippedRows(policy, "held-out text")


@dataclass(frozen=True)
class LeakageFilter:
    """Finds the texts of test files in other files; ``text_fingerprint`` says when two texts are the same.

    The files are read at the first lookup. A text takes 16 bytes: a hash, and the location of the first text
    with it. Labels are ignored, so a file needs none. Rows without a usable text are skipped. Trees give their root
    sentences.

    Attributes:
        paths: the files.
        format: of all files; auto decides by name and content of each.
        text_column: column or key of the text, for the formats that have one.
        min_words: texts with fewer words are not held out; see ``count_words``.
    """

    paths: Sequence[Path]
    format: Format = "auto"
    text_column: str = "text"
    min_words: int = MIN_WORDS
    _sha256: dict[Path, str] = field(default_factory=dict, compare=False, repr=False)

    def __len__(self) -> int:
        """Number of different held-out texts."""
        return len(self._index[0])

    def find(self, text: str) -> Location | None:
        """The location of the same text, or None.

        Raises:
            DataError: a file cannot be used.
        """
        hashes, positions = self._index
        text_hash = _hash_of(text_fingerprint(text))
        position = bisect_left(hashes, text_hash)
        if position == len(hashes) or hashes[position] != text_hash:
            return None
        file, line = divmod(positions[position], 1 << 32)
        return Location(self.paths[file], line, self._units[file])

    def fingerprint(self) -> dict[str, object]:
        """Everything that determines which texts are held out; of names only the extensions count, as elsewhere."""
        return {
            "files": [[self.sha256(path), [suffix.lower() for suffix in path.suffixes]] for path in self.paths],
            "format": self.format,
            "text_column": self.text_column,
            "min_words": self.min_words,
        }

    def sha256(self, path: Path) -> str:
        """SHA-256 of a file's content at the first call."""
        if path not in self._sha256:
            with open_data(path):  # for its readable errors
                pass
            self._sha256[path] = file_sha256(path)
        return self._sha256[path]

    def check_unchanged(self) -> None:
        """Raise an error if a file has changed since its hash was computed."""
        for path, sha256 in self._sha256.items():
            if file_sha256(path) != sha256:
                raise DataError(
                    path, None, problem="it changed while it was being read.", fix="Start again when it is complete."
                )

    @cached_property
    def _index(self) -> "tuple[array[int], array[int]]":
        """The hashes in ascending order, and for each the file's number << 32 | line."""
        position_of_hash: dict[int, int] = {}
        for index, path in enumerate(self.paths):
            for example in self._texts(path):
                if count_words(example.text) >= self.min_words:
                    position_of_hash.setdefault(_hash_of(text_fingerprint(example.text)), index << 32 | example.line)
        hashes = sorted(position_of_hash)
        return array("Q", hashes), array("Q", (position_of_hash[value] for value in hashes))

    @cached_property
    def _units(self) -> list[Unit]:
        """The unit of positions in each file, determined once."""
        return [unit_of(path, self.format) for path in self.paths]

    def _texts(self, path: Path) -> Iterator[Example]:
        # The text column also serves as label column: readers need one, and a file of texts may have no labels.
        options = ReadingOptions(
            format=self.format, text_column=self.text_column, label_column=self.text_column, on_bad_row="skip"
        )
        return read_examples(path, options)


def drop_leaks(
    examples: Iterable[Example], held_out: LeakageFilter, leaks: SkippedRows, *, path: Path, unit: Unit = "line"
) -> Iterator[Example]:
    """The examples whose texts are not held out; the others are reported to ``leaks``.

    Args:
        examples: of the file ``path``, read as they come.
        held_out: what must not be among them.
        leaks: stops at the first such text, or counts it.
        path: for messages.
        unit: what that file is counted in; ``unit_of`` knows.

    Raises:
        DataError: a text is held out and ``leaks`` stops there, or a held-out file cannot be used.
    """
    for example in examples:
        location = held_out.find(example.text)
        if location is None:
            yield example
        else:
            leaks.record(_leak(path, example, location, unit=unit))


def drop_leaking_texts(
    texts: Iterable[str], held_out: LeakageFilter, leaks: SkippedRows, *, path: Path
) -> Iterator[str]:
    """The same for texts without labels, such as those a teacher scores; messages count them from 1 as lines."""
    numbered = (Example(text=text, label="", line=number) for number, text in enumerate(texts, start=1))
    return (example.text for example in drop_leaks(numbered, held_out, leaks, path=path))


def _leak(path: Path, example: Example, location: Location, *, unit: Unit) -> DataError:
    quoted = example.text if len(example.text) <= _QUOTED else f"{example.text[:_QUOTED]}..."
    return DataError(
        path,
        example.line,
        problem=f'the text "{quoted}" is held out: it is in {location.path}, {location.unit} {location.line:,}.',
        fix="A model that has seen it cannot be measured there. Pass --data.on_leak=drop to leave such texts out and\n"
        "count them, or take that file out of --data.held_out.",
        unit=unit,
    )


def _hash_of(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=_HASH_BYTES).digest())
