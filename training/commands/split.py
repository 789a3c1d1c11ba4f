"""``python -m training split``: one labelled file into files to train on, to validate with and to test on."""

import sys
from pathlib import Path

from jsonargparse import auto_cli
from rich.console import Console

from training.commands.parser import ExactParser, Paragraphs
from training.data.examples import BadRowPolicy, DataError, Example, LeftOut
from training.data.leakage import HeldOut, held_out_texts, without_leaks
from training.data.readers import Format, read_examples, unit_of
from training.data.splitting import deal, write_json_lines

DESCRIPTION = """\
Cuts a labelled file into TO/train.jsonl, TO/validation.jsonl and, unless --test is 0, TO/test.jsonl.

  python -m training split tweets.csv --to data/tweets
  python -m training split train.jsonl.gz --to data/imdb --test 0 --not_in test.jsonl.gz

Every part has the labels in like proportion, and texts that repeat one another (but for case, spacing and punctuation)
stay in one part. The outcome depends on nothing but the file and the seed.
"""


def main(arguments: list[str]) -> None:
    """Runs the command; exits with 1 and a plain message where the data is at fault."""
    try:
        auto_cli(
            split,
            args=arguments,
            prog="python -m training split",
            as_positional=True,
            parser_class=ExactParser,
            description=DESCRIPTION,
            formatter_class=Paragraphs,
        )
    except (DataError, SplitError) as error:
        # The readers name their options as fit has them; here they stand without the group.
        sys.stderr.write(f"{error}\n".replace("--data.", "--"))
        raise SystemExit(1) from None


class SplitError(ValueError):
    """The shares leave a part without a text; the message says what to pass."""


def split(
    file: Path,
    *,
    to: Path,
    validation: float = 0.1,
    test: float = 0.1,
    not_in: Path | None = None,
    format: Format = "auto",  # noqa: A002 - the option's name on the command line
    text_column: str = "text",
    label_column: str = "label",
    ptb_tokens: bool = False,
    label_map: dict[str, str | None] | None = None,
    on_bad_row: BadRowPolicy = "stop",
    seed: int = 0,
) -> None:
    """Splits a file; see ``DESCRIPTION``.

    Args:
        file: labelled text, gzipped or not.
        to: the folder of the parts.
        validation: share of the texts to validate with.
        test: share of the texts to test on; 0 where there is a test file already.
        not_in: leave out texts that stand in this file too, such as that test file; its labels are not looked at.
        format: csv, tsv, jsonl, parquet, lines ("label text"), trees (Penn Treebank), or auto: by name and content.
        text_column: column or key of the text (csv, tsv, jsonl, parquet).
        label_column: column or key of the label.
        ptb_tokens: texts are Penn Treebank tokens ("ca n't"), to be joined as a person writes. Trees always are.
        label_map: raw label to label; null leaves those rows out.
        on_bad_row: stop at a row that cannot be used, or skip and count it.
        seed: decides which text goes where.
    """
    bad_rows = LeftOut(on_bad_row)

    def read(path: Path) -> list[Example]:
        return list(
            read_examples(
                path,
                format=format,
                text_column=text_column,
                label_column=label_column,
                ptb_tokens=ptb_tokens,
                label_map=label_map,
                bad_rows=bad_rows,
            )
        )

    kept, leaks = read(file), held_out_texts("drop")
    if not_in is not None:
        held_out = HeldOut([not_in], format=format, text_column=text_column, min_words=1)
        kept = list(without_leaks(kept, held_out, leaks, path=file, unit=unit_of(file, format)))
    shares = {"train": 1 - validation - test, "validation": validation, "test": test}
    wanted = {part: share for part, share in shares.items() if share != 0}
    if min(wanted.values()) < 0:
        message = f"--validation {validation} and --test {test} leave nothing to train on"
        raise SplitError(message)
    console = Console(stderr=True)
    for part, members in zip(wanted, deal(kept, list(wanted.values()), seed=seed), strict=True):
        if not members:
            message = f"{file}: {len(kept):,} texts are too few for a {part} part; pass a larger share"
            raise SplitError(message)
        path = to / f"{part}.jsonl"
        write_json_lines(path, members)
        console.print(f"{path}: {len(members):,} texts")
    if not_in is not None:
        console.print(f"Left out because they stand in {not_in} too: {leaks.count:,}")
    if bad_rows.count:
        console.print(bad_rows.summary())
