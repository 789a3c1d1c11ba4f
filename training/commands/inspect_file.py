"""``python -m training inspect``: what is in a labeled file, before anything is trained on it."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from rich.table import Table
from rich.text import Text
from tokenizers import Tokenizer

from model_store import BundleError
from model_store import bundle as bundles
from model_store.plain_console import plain_console
from training.commands.parser import run
from training.data.examples import DataError, SkippedRows
from training.data.inspection import MAX_LABELS, Inspection, inspect_examples
from training.data.label_names import labels_alike
from training.data.readers import ReadingOptions, read_examples, unit_of
from training.data.readers.rows import SKIP_BAD_ROWS
from training.data.readers.stars import WRITTEN
from training.data.repeated_texts import Repeats
from training.evaluation.tables import plain_table

DESCRIPTION = """\
Shows what is in a labeled file: rows, labels, lengths, words that the shipped model does not know, texts that repeat
one another, also with other labels, rows to look at, and the command to run next. Nothing is written.

  python -m training inspect my.csv
  python -m training inspect reviews.xlsx --text_column review --label_column stars --stars

Rows that cannot be used are counted and the first ones named. Lengths are in tokens of the model that ships; --model
names another.
"""

MAX_UNKNOWN_SHARE = 0.3
"""A text with a larger share of unknown tokens is suspicious, if the model has no bound of its own."""

RARE = 8
"""A label with fewer texts is hardly learned."""

MOST_STARS = 0.9
"""If so many texts have numbers of stars for labels, the other labels are for such as "n/a"."""

_ENCODING_TO_PASS = re.compile(r"--encoding=(\S+),")
_LABELS_SHOWN = 20
_LABEL_LENGTH_SHOWN = 60


@dataclass(frozen=True, slots=True)
class FileReport:
    """All that is shown about a file.

    Attributes:
        unit: what positions in the file are counted in.
        bad_rows: number of rows that cannot be used.
        first_bad_rows: what is wrong with the first of them.
        advice: what to do about what was found, a sentence each.
        next_command: the command to run next; None if the labels cannot be learned.
    """

    file: str
    unit: str
    bad_rows: int
    first_bad_rows: list[str]
    found: Inspection
    advice: list[str]
    next_command: str | None


def main(arguments: list[str]) -> None:
    """Run the command."""
    errors = (BundleError, DataError)
    run(inspect_file, arguments, command="inspect", description=DESCRIPTION, errors=errors)


def inspect_file(
    file: Path,
    *,
    model: str = "default",
    reading: Annotated[dict[str, Any], ReadingOptions],
    json: bool = False,
) -> None:
    """Look through a file; see ``DESCRIPTION``.

    Args:
        file: labeled text, gzipped or not.
        model: the bundle whose tokenizer counts tokens; "default" is the one that ships.
        reading: how the file is read.
        json: print everything as JSON.

    Raises:
        BundleError: the bundle cannot be used.
        DataError: the file cannot be used, or a row cannot and ``on_bad_row`` is stop.
    """
    bundle = bundles.read(bundles.resolve(model))
    options = ReadingOptions.among(reading, on_bad_row=reading.get("on_bad_row", "skip"))
    bad_rows = SkippedRows(options.on_bad_row)
    limit = bundle.manifest.calibration.max_unknown_share
    found = inspect_examples(
        read_examples(file, options, bad_rows=bad_rows),
        Tokenizer.from_buffer(bundle.tokenizer),
        unknown_token=bundle.manifest.tokenizer.unknown_token,
        max_unknown_share=MAX_UNKNOWN_SHARE if limit is None else limit,
    )
    report = FileReport(
        file=str(file),
        unit=unit_of(file, options.format),
        bad_rows=bad_rows.count,
        first_bad_rows=[error.headline for error in bad_rows.first],
        found=found,
        advice=[*_fixes(bad_rows), *_advice(found, options)],
        next_command=_next_command(file, found, reading, bad_rows=bad_rows),
    )
    if json:
        _print_json(report)
    else:
        _show(report)


def _fixes(bad_rows: SkippedRows) -> list[str]:
    """What to do about the first bad rows, each fix once, without how to skip them: they are skipped."""
    return list(dict.fromkeys(error.fix.removesuffix(f"\n{SKIP_BAD_ROWS}") for error in bad_rows.first))


def _advice(found: Inspection, options: ReadingOptions) -> Iterator[str]:
    labels = found.labels
    if misread := _misread(found, options):
        yield misread
        return
    if len(labels) == 1:
        yield "There is only one label, and a classifier needs two: check --label_column and --label_map."
    stars = sum(texts for label, texts in labels.items() if label in WRITTEN)
    are_stars = stars > MOST_STARS * found.rows and len({WRITTEN[label] for label in labels if label in WRITTEN}) > 2  # noqa: PLR2004 - two are classes
    if are_stars and not options.stars:
        others = {label: None for label in labels if label not in WRITTEN}
        left_out = f"; --label_map {_quoted(others)} leaves the others out" if others else ""
        yield f"The labels look like stars; --stars makes negative, neutral and positive of them{left_out}."
    elif alike := labels_alike(labels):
        names = "; ".join(" and ".join(map(repr, group)) for group in alike)
        joined = {label: max(group, key=labels.__getitem__) for group in alike for label in group}
        label_map = {label: joined.get(label, label) for label in labels}  # whole, since others would be bad rows
        yield f"These labels differ only by case or space: {names}. To join them: --label_map {_quoted(label_map)}"
    if not are_stars and all(label.lstrip("+-").isdigit() for label in labels):
        label_map = dict.fromkeys(sorted(labels), "NAME")
        yield f"The labels are numbers; to name them: --label_map {_quoted(label_map)}"
    rare = [label for label, texts in labels.items() if texts < RARE]
    if rare and len(labels) > 1:
        yield f"Fewer than {RARE} texts each: {_listed(rare)}. Add some, or leave the label out with --label_map."
    if "HTML" in found.suspicious and not options.html:
        yield "Some texts hold HTML entities or breaks; --html reads them as the characters that they stand for."
    if found.contradictions.texts:
        one = "set of labels" if options.multi_label else "label"
        yield f"Decide on one {one} for each text that has several: no model can learn both."


def _misread(found: Inspection, options: ReadingOptions) -> str | None:
    """Why the labels say nothing, because they are read in a wrong way; None if they are not."""
    labels = found.labels
    if separator := next(iter(found.separated), None):
        option = "" if separator == options.label_separator else f" --label_separator {shlex.quote(separator)}"
        return (
            f"The labels of {found.separated[separator]:.0%} of the texts are several with {separator!r} between them: "
            f"pass --multi_label{option}, and each is learned by itself."
        )
    if _looks_like_text(found):
        return (
            f'Column "{options.label_column}" has {len(labels):,} different values in {found.rows:,} rows, so it is '
            "probably not the label; name the right one with --label_column."
        )
    return None if labels else "No text has a label: check --label_column and --label_map."


def _looks_like_text(found: Inspection) -> bool:
    """Whether there are too many labels for classes: hundreds, most of them on a few rows."""
    few = 50
    return len(found.labels) >= MAX_LABELS or (len(found.labels) > few and found.rows < 5 * len(found.labels))


def _next_command(file: Path, found: Inspection, reading: dict[str, Any], *, bad_rows: SkippedRows) -> str | None:
    """The command that begins with the shipped model, with the options by which the file was read.

    If the encoding was wrong, everything else may be too, so the file is then to be inspected again.
    """
    encoding = next((match[1] for fix in _fixes(bad_rows) if (match := _ENCODING_TO_PASS.search(fix))), None)
    if encoding is not None:
        return shlex.join(
            ["python", "-m", "training", "inspect", str(file), *_words({**reading, "encoding": encoding})]
        )
    skips = bool(bad_rows.count)
    if separator := next(iter(found.separated), None):
        reading = {**reading, "multi_label": True}
        reading |= {"label_separator": separator} if separator != ReadingOptions().label_separator else {}
        skips = False  # mostly rows without a label, which are as good then
    elif len(found.labels) < 2 or _looks_like_text(found):  # noqa: PLR2004 - a choice needs two
        return None
    found_out = {
        **({"on_bad_row": "skip"} if skips else {}),
        **({"html": True} if "HTML" in found.suspicious else {}),
    }
    given = {**found_out, **reading}
    return shlex.join(["python", "-m", "training", "adapt", "--train", str(file), "--to", "my-model", *_words(given)])


def _words(reading: Mapping[str, Any]) -> Iterator[str]:
    """Reading options as they are given on the command line."""
    for name, value in reading.items():
        if isinstance(value, bool):
            yield f"--{name}" if value else f"--no_{name}"
        else:
            yield from (f"--{name}", json.dumps(value) if isinstance(value, dict) else str(value))


def _print_json(report: FileReport) -> None:
    plain_console().print_json(data=asdict(report))


def _show(report: FileReport) -> None:
    console = plain_console()
    found, unit = report.found, report.unit
    console.print(Text.assemble("\n", (report.file, "bold"), f": {found.rows:,} texts, {report.bad_rows:,} bad rows\n"))
    for line in report.first_bad_rows:
        console.print(f"  {line}")
    if report.first_bad_rows:
        console.print()
    for table in (_labels(found), *_labels_per_text(found), _lengths(found), _unknown(found)):
        console.print(table)
        console.print()
    for line in (*_repeated(found, unit), *_suspicious(found, unit)):
        console.print(line, highlight=False)
    if report.advice:
        console.print(Text("\nTo do", "bold"))
    for sentence in report.advice:
        console.print(f"- {sentence}", soft_wrap=True)
    if report.next_command:
        console.print(Text("\nNext", "bold"))
        console.print(f"  {report.next_command}", soft_wrap=True)


def _labels(found: Inspection) -> Table:
    table = plain_table("label", "texts", "share")
    for label, texts in list(found.labels.items())[:_LABELS_SHOWN]:
        table.add_row(Text(_short(label)), f"{texts:,}", f"{texts / found.rows:.1%}")
    if len(found.labels) > _LABELS_SHOWN:
        table.add_row(Text(f"and {len(found.labels) - _LABELS_SHOWN:,} more", "dim"), "", "")
    return table


def _labels_per_text(found: Inspection) -> Iterator[Table]:
    """How many texts have no label, one, two and so on; nothing if each has one."""
    if found.labels_per_text:
        table = plain_table("labels of a text", *map(str, found.labels_per_text))
        table.add_row("texts", *(f"{texts:,}" for texts in found.labels_per_text.values()))
        yield table


def _lengths(found: Inspection) -> Table:
    table = plain_table("tokens of a text", *found.tokens)
    table.add_row("", *(f"{tokens:,}" for tokens in found.tokens.values()))
    return table


def _unknown(found: Inspection) -> Text:
    words = ", ".join(f"{_short(word)} ({count:,})" for word, count in found.unknown_words.items())
    return Text(f"Unknown tokens: {found.unknown_share:.2%}{', most often ' if words else ''}{words}")


def _repeated(found: Inspection, unit: str) -> Iterator[str]:
    yield f"Rows that repeat an earlier text: {found.duplicates.rows:,}{_where(found.duplicates, unit)}"
    contradictory = found.contradictions
    yield f"Texts with different labels in different rows: {contradictory.texts:,}{_where(contradictory, unit)}"
    yield (
        f"Texts that differ only by numbers, names, links or the order of words: {found.similar.texts:,}"
        f"{_where(found.similar, unit)}"
    )


def _where(repeats: Repeats, unit: str) -> str:
    shown = "; ".join(", ".join(f"{line:,}" for line in lines) for lines in repeats.first)
    return f" ({unit}s {shown}{'; ...' if repeats.texts > len(repeats.first) else ''})" if shown else ""


def _suspicious(found: Inspection, unit: str) -> Iterator[str]:
    for kind, noted in found.suspicious.items():
        lines = ", ".join(f"{line:,}" for line in noted.lines)
        more = ", ..." if noted.rows > len(noted.lines) else ""
        yield f"Rows to look at, {kind}: {noted.rows:,} ({unit}{'' if noted.rows == 1 else 's'} {lines}{more})"


def _quoted(label_map: Mapping[str, str | None]) -> str:
    return shlex.quote(json.dumps(label_map, ensure_ascii=False))


def _listed(labels: Sequence[str]) -> str:
    few = 5
    return ", ".join(map(_short, labels[:few])) + (f" and {len(labels) - few:,} more" if len(labels) > few else "")


def _short(text: str) -> str:
    return text if len(text) <= _LABEL_LENGTH_SHOWN else f"{text[:_LABEL_LENGTH_SHOWN]}..."
