"""From a labeled file to token ids on disk: rows are streamed, and the result is cached."""

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from importlib.metadata import version
from itertools import tee
from pathlib import Path

import torch
from tokenizers import Tokenizer

from model_store.hashing import file_sha256
from training.data import tokenization
from training.data.cache import cached
from training.data.examples import DataError, Example, LeakPolicy, SkippedRows
from training.data.flat_arrays import FlatArrayWriter, map_array
from training.data.leakage import LeakageFilter, drop_leaks, skipped_leaks
from training.data.readers import ReadingOptions, read_examples, unit_of
from training.data.readers.files import open_data
from training.data.tokenized import UNLABELED, TokenizedExamples

_LIBRARIES = ("nltk", "pyarrow", "tokenizers", "torchtext")  # those that have a say in rows, words and ids


@dataclass(frozen=True)
class LabeledFile:
    """A file, how it is read, and a hash that says which content was read.

    Attributes:
        held_out: texts that must not be among the file's.
        on_leak: what to do with such a text.
    """

    path: Path
    options: ReadingOptions
    held_out: LeakageFilter | None = None
    on_leak: LeakPolicy = "stop"

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the content when it was first asked for.

        Raises:
            DataError: the file is missing, a folder, unreadable or empty.
        """
        with open_data(self.path):  # for its errors, which are written for people
            pass
        return file_sha256(self.path)

    def examples(
        self, *, allowed_labels: Collection[str] | None, bad_rows: SkippedRows, leaks: SkippedRows
    ) -> Iterator[Example]:
        """Every usable row whose text is not held out, read now."""
        examples = read_examples(self.path, self.options, allowed_labels=allowed_labels, bad_rows=bad_rows)
        if self.held_out is not None:
            unit = unit_of(self.path, self.options.format)
            examples = drop_leaks(examples, self.held_out, leaks, path=self.path, unit=unit)
        return examples

    def fingerprint(self) -> dict[str, object]:
        """Everything that determines the rows. Of the name only the extensions count, which may decide the format."""
        return {
            "content": self.sha256,
            "extensions": [suffix.lower() for suffix in self.path.suffixes],
            "options": asdict(self.options),
            "held_out": None if self.held_out is None else {**self.held_out.fingerprint(), "on_leak": self.on_leak},
            "code": _code_version(),
        }

    def check_unchanged(self) -> None:
        """Raise an error if the file, or a held-out one, has changed since its hash was computed."""
        if self.held_out is not None:
            self.held_out.check_unchanged()
        if file_sha256(self.path) != self.sha256:
            raise DataError(
                self.path, None, problem="it changed while it was being read.", fix="Start again when it is complete."
            )


@dataclass(frozen=True)
class TokenizedFile:
    """A tokenized file.

    Attributes:
        examples: its rows; labels are numbers into ``label_sets``.
        label_sets: the different sets of labels that a text has, each of one label unless the file is multi-label.
        multi_label: whether it is.
        bad_rows: what was left out.
        leaks: held-out texts, left out too.
        teacher_labels: the labels of a teacher's log-probabilities; empty if the examples have none.
        without_tokens: texts of only invisible characters, which are skipped too, since they have no tokens.
    """

    examples: TokenizedExamples
    label_sets: list[list[str]]
    multi_label: bool
    bad_rows: SkippedRows
    leaks: SkippedRows
    without_tokens: int
    teacher_labels: list[str]

    @property
    def labels(self) -> list[str]:
        """Its labels in the order in which they came."""
        return list(dict.fromkeys(label for labels in self.label_sets for label in labels))

    def numbered_by(self, labels: Sequence[str]) -> TokenizedExamples:
        """The rows with labels as numbers into a list of labels, and a teacher's scores in that list's order.

        The labels of a multi-label file are (rows, labels), true where a text has the label.

        Raises:
            ValueError: a teacher has no score for one of those labels.
        """
        examples = self.examples
        if self.multi_label:
            numbers = torch.tensor([[label in members for label in labels] for members in self.label_sets])
        else:
            numbers = torch.tensor([*(labels.index(label) for [label] in self.label_sets), UNLABELED])  # -1: the last
        teacher = examples.teacher
        if teacher is not None:
            teacher = teacher[:, [self.teacher_labels.index(label) for label in labels]]
        return TokenizedExamples(examples.ids, examples.offsets, numbers[examples.labels], teacher)


@dataclass(frozen=True)
class _Texts:
    """The texts of several files, read anew in each iteration. Skipped rows are counted when texts are encoded."""

    files: Sequence[LabeledFile]

    def __iter__(self) -> Iterator[str]:
        for file in self.files:
            bad_rows, leaks = SkippedRows(file.options.on_bad_row), skipped_leaks(file.on_leak)
            examples = file.examples(allowed_labels=None, bad_rows=bad_rows, leaks=leaks)
            yield from (example.text for example in examples)


def learn_tokenizer(
    files: Sequence[LabeledFile],
    learn: Callable[[Iterable[str]], Tokenizer],
    *,
    options: Mapping[str, object],
    cache_folder: Path | None,
) -> str:
    """The pipeline, as JSON, that ``learn`` makes of the files' texts.

    Args:
        files: read unless the cache knows the answer.
        learn: takes the texts as they come, and may go through them again.
        options: everything but the texts that changes what is learned.
        cache_folder: see ``cached``.
    """

    def build(folder: Path) -> None:
        pipeline = learn(_Texts(files))
        for file in files:
            file.check_unchanged()
        (folder / "tokenizer.json").write_text(pipeline.to_str(), encoding="utf-8")

    return cached(
        cache_folder,
        kind="tokenizer",
        fingerprint={"files": [file.fingerprint() for file in files], "tokenizer": dict(options)},
        build=build,
        load=lambda folder: (folder / "tokenizer.json").read_text(encoding="utf-8"),
    )


def tokenize(
    file: LabeledFile,
    tokenizer_json: str,
    *,
    max_tokens: int,
    allowed_labels: Collection[str] | None,
    cache_folder: Path | None,
) -> TokenizedFile:
    """Token ids and labels of every usable row, mapped to memory.

    Args:
        file: read once, unless the cache knows the answer.
        tokenizer_json: a ``tokenizers`` pipeline.
        max_tokens: longer texts are cut at the end.
        allowed_labels: rows with another label are bad; None allows all.
        cache_folder: see ``cached``.

    Raises:
        DataError: the file cannot be used, or a row cannot and the options say to stop there.
    """

    def build(folder: Path) -> None:
        bad_rows, leaks = SkippedRows(file.options.on_bad_row), skipped_leaks(file.on_leak)
        examples = file.examples(allowed_labels=allowed_labels, bad_rows=bad_rows, leaks=leaks)
        counts = _write_arrays(folder, examples, Tokenizer.from_str(tokenizer_json), max_tokens=max_tokens)
        file.check_unchanged()
        if not counts["rows"]:
            raise DataError(file.path, None, problem="no text in it has a token.", fix="Check the file's encoding.")
        summary = json.dumps({**counts, "bad_rows": _as_json(bad_rows), "leaks": _as_json(leaks)})
        (folder / "summary.json").write_text(summary, encoding="utf-8")

    return cached(
        cache_folder,
        kind="examples",
        fingerprint={
            **file.fingerprint(),
            "tokenizer": hashlib.sha256(tokenizer_json.encode()).hexdigest(),
            "max_tokens": max_tokens,
            "allowed_labels": None if allowed_labels is None else sorted(allowed_labels),
        },
        build=build,
        load=lambda folder: _load(folder, file),
    )


def _write_arrays(
    folder: Path, examples: Iterable[Example], pipeline: Tokenizer, *, max_tokens: int
) -> dict[str, object]:
    """Write ids, offsets, label indices and a teacher's scores; returns a summary of the rows."""
    numbers: dict[tuple[str, ...], int] = {}
    multi_label = False
    teacher_labels: list[str] = []
    without_tokens = end = rows = 0
    to_encode, to_label = tee(examples)  # at most one chunk of the encoder apart
    encoded = tokenization.encode_all(pipeline, (example.text for example in to_encode), max_tokens=max_tokens)
    with (
        FlatArrayWriter(folder / "ids.npy", "i") as ids,
        FlatArrayWriter(folder / "offsets.npy", "q") as offsets,
        FlatArrayWriter(folder / "labels.npy", "i") as labels,
        FlatArrayWriter(folder / "teacher.npy", "f") as teacher,
    ):
        offsets.extend([0])
        for row, example in zip(encoded, to_label, strict=True):
            if not row:
                without_tokens += 1
                continue
            end += len(row)
            ids.extend(row)
            offsets.extend([end])
            rows += 1
            multi_label = example.labels is not None  # of all rows of a file, or of none
            is_labeled = multi_label or example.label
            labels.extend([numbers.setdefault(example.label_names, len(numbers)) if is_labeled else UNLABELED])
            if example.teacher is not None:  # of all rows of a file, or of none
                teacher_labels = list(example.teacher)
                teacher.extend(example.teacher.values())
    return {
        "rows": rows,
        "label_sets": list(numbers),
        "multi_label": multi_label,
        "teacher_labels": teacher_labels,
        "without_tokens": without_tokens,
    }


def _load(folder: Path, file: LabeledFile) -> TokenizedFile:
    ids, offsets, labels = (map_array(folder / f"{name}.npy") for name in ("ids", "offsets", "labels"))
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    bad_rows, leaks = SkippedRows(file.options.on_bad_row), skipped_leaks(file.on_leak)
    for skipped, stored in ((bad_rows, summary["bad_rows"]), (leaks, summary["leaks"])):
        skipped.count = stored["count"]
        # The errors name the file as it is called now.
        skipped.first = [DataError(file.path, **error) for error in stored["first"]]
    teacher_labels = summary["teacher_labels"]
    teacher = map_array(folder / "teacher.npy").view(len(labels), -1) if teacher_labels else None
    return TokenizedFile(
        TokenizedExamples(ids, offsets, labels.long(), teacher),
        summary["label_sets"],
        summary["multi_label"],
        bad_rows,
        leaks,
        summary["without_tokens"],
        teacher_labels,
    )


def _as_json(left_out: SkippedRows) -> dict[str, object]:
    first = [
        {"line": error.line, "problem": error.problem, "fix": error.fix, "unit": error.unit} for error in left_out.first
    ]
    return {"count": left_out.count, "first": first}


@cache
def _code_version() -> str:
    """Hash of the code that reads and tokenizes, since a correction there makes cache entries wrong."""
    code = hashlib.sha256()
    folder = Path(__file__).parent
    for path in sorted(folder.rglob("*.py")):
        code.update(f"{path.relative_to(folder)} {file_sha256(path)}\n".encode())
    for library in _LIBRARIES:
        code.update(f"{library} {version(library)}\n".encode())
    return code.hexdigest()
