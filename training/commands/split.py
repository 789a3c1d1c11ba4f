"""``python -m training split``: cuts one labeled file into files for training, validation and test."""

from pathlib import Path

from model_store.plain_console import plain_console
from training.commands.parser import UsageError, run
from training.data.examples import DataError, SkippedRows
from training.data.leakage import LeakageFilter, drop_leaks, skipped_leaks
from training.data.readers import ReadingOptions, read_examples, unit_of
from training.data.splitting import deal, write_json_lines

DESCRIPTION = """\
Cuts a labeled file into TO/train.jsonl, TO/validation.jsonl and, unless --test is 0, TO/test.jsonl.

  python -m training split tweets.csv --to data/tweets
  python -m training split train.jsonl.gz --to data/imdb --test 0 --not_in test.jsonl.gz

Every part has the labels in equal proportions. Texts that differ only in case, spacing and punctuation stay in one
part. The result depends only on the file and the seed.
"""


def main(arguments: list[str]) -> None:
    """Run the command."""
    run(split, arguments, command="split", description=DESCRIPTION, errors=(DataError,))


def split(
    file: Path,
    *,
    to: Path,
    validation: float = 0.1,
    test: float = 0.1,
    not_in: Path | None = None,
    reading: ReadingOptions,
    seed: int = 0,
) -> None:
    """Split a file; see ``DESCRIPTION``.

    Args:
        file: labeled text, gzipped or not.
        to: folder of the parts.
        validation: share of the texts for validation.
        test: share of the texts for the test; 0 if there is a test file already.
        not_in: drop texts that are also in this file, such as a test file; its labels are not read.
        reading: how the file is read.
        seed: decides which text goes where.

    Raises:
        DataError: the file cannot be used, or has too few texts for a part.
        UsageError: the shares leave nothing to train on.
    """
    shares = {"train": 1 - validation - test, "validation": validation, "test": test}
    shares = {part: share for part, share in shares.items() if share != 0}
    if min(shares.values()) < 0 or "train" not in shares:
        message = f"--validation {validation} and --test {test} leave nothing to train on"
        raise UsageError(message)
    bad_rows, leaks = SkippedRows(reading.on_bad_row), skipped_leaks("drop")
    examples = list(read_examples(file, reading, bad_rows=bad_rows))
    if not_in is not None:
        held_out = LeakageFilter([not_in], format=reading.format, text_column=reading.text_column, min_words=1)
        unit = unit_of(file, reading.format)
        examples = list(drop_leaks(examples, held_out, leaks, path=file, unit=unit))
    console = plain_console(stderr=True)
    for part, members in zip(shares, deal(examples, list(shares.values()), seed=seed), strict=True):
        if not members:
            problem = f"{len(examples):,} texts are too few for a {part} part."
            raise DataError(file, None, problem=problem, fix=f"Pass a larger share for {part}.")
        path = to / f"{part}.jsonl"
        write_json_lines(path, members)
        console.print(f"{path}: {len(members):,} texts")
    if not_in is not None:
        console.print(f"Dropped because {not_in} has them too: {leaks.count:,}")
    if bad_rows.count:
        console.print(bad_rows.summary())
