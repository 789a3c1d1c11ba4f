"""The texts of an adaptation: read, split, and written to the run folder."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from training.adaptation.options import AdaptOptions
from training.adaptation.plan import validation_share
from training.data.examples import DataError, Example, SkippedRows
from training.data.leakage import LeakageFilter, drop_leaks, skipped_leaks
from training.data.readers import ReadingOptions, read_examples, unit_of
from training.data.splitting import hold_out, write_json_lines
from training.distillation.texts import read_texts


@dataclass(frozen=True, slots=True)
class Parts:
    """The texts of an adaptation; ``test`` is empty without a file."""

    train: list[Example]
    validation: list[Example]
    test: list[Example]

    @property
    def labels(self) -> list[str]:
        """The labels of the training texts, sorted."""
        return sorted(self.counts)

    @property
    def counts(self) -> Counter[str]:
        """The number of training texts with each label."""
        return Counter(label for example in self.train for label in example.label_names)


def read_parts(options: AdaptOptions) -> tuple[Parts, list[str]]:
    """The texts to train on, to validate with and to test on, and sentences about what was left out.

    Raises:
        DataError: a file cannot be used, or a label has too few texts.
    """
    notes: list[str] = []
    train = _read(options.train, options.reading, notes, labels=None)
    labels = sorted({label for example in train for label in example.label_names})
    if len(labels) < 2:  # noqa: PLR2004 - a choice needs two
        found = f"only the label {labels[0]!r}" if labels else "no label"
        problem = f"{found} occurs; a classifier needs at least two."
        raise DataError(options.train, None, problem=problem, fix="Check --label_column and --label_map.")
    test = [] if options.test is None else _read(options.test, options.reading, notes, labels=labels)
    train = _without(train, options.train, options.test, options.reading, notes)
    if options.validation is not None:
        train = _without(train, options.train, options.validation, options.reading, notes)
        return Parts(train, _read(options.validation, options.reading, notes, labels=labels), test), notes
    try:
        train, validation = hold_out(train, validation_share(len(train)), seed=options.seed)
    except ValueError as error:
        raise DataError(
            options.train,
            None,
            problem=f"the label {str(error)!r} has fewer than two different texts.",
            fix="Add more, or leave the label out with --label_map and null; 8 a label are a good start.",
        ) from error
    notes.append(f"{len(validation):,} texts of the training file were held out for validation.")
    return Parts(train, validation, test), notes


def _read(path: Path, reading: ReadingOptions, notes: list[str], *, labels: list[str] | None) -> list[Example]:
    bad_rows = SkippedRows(reading.on_bad_row)
    examples = list(read_examples(path, replace(reading, trees="root"), allowed_labels=labels, bad_rows=bad_rows))
    if not examples:
        raise DataError(path, None, problem="it has no text.", fix="Check the file and --format.")
    if bad_rows.count:
        notes.append(f"{path.name}: {bad_rows.summary()}")
    return examples


def _without(
    examples: list[Example], path: Path, held_out: Path | None, reading: ReadingOptions, notes: list[str]
) -> list[Example]:
    """The examples whose texts are not in another file."""
    if held_out is None:
        return examples
    leaks = skipped_leaks("drop")
    index = LeakageFilter([held_out], format=reading.format, text_column=reading.text_column, min_words=1)
    kept = list(drop_leaks(examples, index, leaks, path=path, unit=unit_of(path, reading.format)))
    if leaks.count:
        notes.append(f"Left out {leaks.count:,} training texts that are also in {held_out.name}.")
    return kept


def write_parts(folder: Path, parts: Parts) -> dict[str, Path]:
    """Write each part that has texts to a file; returns the files by part."""
    files = {}
    for part in ("train", "validation", "test"):
        if examples := getattr(parts, part):
            files[part] = folder / f"{part}.jsonl"
            write_json_lines(files[part], examples)
    return files


def unlabeled(options: AdaptOptions, files: dict[str, Path]) -> Iterator[Example]:
    """The unlabeled texts without those that the model is validated or tested on."""
    held_out = LeakageFilter([files[part] for part in ("validation", "test") if part in files], min_words=1)
    texts = read_texts(Path(str(options.unlabelled)), options.reading, labeled=False)
    examples = (Example(text.text, "", number) for number, text in enumerate(texts, start=1))
    return drop_leaks(examples, held_out, skipped_leaks("drop"), path=Path(str(options.unlabelled)))
