"""Results of the suite as a table on the terminal, as JSON and as Markdown."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from model_store.atomic_write import atomic_write
from training.evaluation.behavior.expectations import STRONG, TOLERANCE
from training.evaluation.behavior.families import KINDS
from training.evaluation.behavior.suite import FamilyResult
from training.evaluation.metrics import wilson_interval
from training.evaluation.tables import plain_table

JSON = "report.json"
MARKDOWN = "behavior.md"


@dataclass(frozen=True, slots=True)
class Total:
    """Cases and failures of several families together, and the 95% interval (Wilson) of the failure rate."""

    name: str
    families: int
    cases: int
    failures: int
    low: float
    high: float


def totals(results: Iterable[FamilyResult]) -> list[Total]:
    """Each capability's total, then the total of all; families that do not apply are left out.

    Cases of a family resemble one another, so an interval over families is too narrow.
    """
    applied = [result for result in results if result.cases]
    groups = [(name, list(members)) for name, members in groupby(applied, key=lambda result: result.capability)]
    return [_total(name, members) for name, members in [*groups, ("all", applied)] if members]


def write(folder: Path, results: Sequence[FamilyResult], *, model: dict[str, Any], seed: int, max_cases: int) -> None:
    """Write ``report.json`` and ``behavior.md``, replacing earlier ones."""
    content = {
        "model": model,
        "seed": seed,
        "cases_a_family": max_cases,
        "strong_polarity": STRONG,
        "tolerance": TOLERANCE,
        "totals": [asdict(total) for total in totals(results)],
        "families": [asdict(result) for result in results],
    }
    atomic_write(folder / JSON, f"{json.dumps(content, indent=2, ensure_ascii=False)}\n".encode())
    atomic_write(folder / MARKDOWN, markdown(results).encode())


def markdown(results: Sequence[FamilyResult]) -> str:
    """Tables by capability and by family, with one failure of each family that has any."""
    lines = [*_markdown_totals(results), "", *_markdown_families(results), "", *_notes(results)]
    return "\n".join(lines).rstrip() + "\n"


def show(results: Sequence[FamilyResult], console: Console) -> None:
    """Print the failure rates by capability and family, and examples of what failed."""
    console.print(_table(results))
    for result in results:
        if result.examples:
            console.print(_failed(result))
    console.print()
    for note in _notes(results):
        console.print(Text(note, style="dim"))


def _total(name: str, members: Sequence[FamilyResult]) -> Total:
    cases, failures = sum(result.cases for result in members), sum(result.failures for result in members)
    return Total(name, len(members), cases, failures, *wilson_interval(failures, cases))


def _table(results: Sequence[FamilyResult]) -> Table:
    """Each capability's total in bold, then its families."""
    table = plain_table("family", "kind", "cases", "failed", "95% interval", left=2)
    of_capability = {total.name: total for total in totals(results)}
    for name, members in groupby(results, key=lambda result: result.capability):
        if name in of_capability:
            _add_total(table, of_capability[name])
        for result in members:
            table.add_row(Text(f"  {result.name}"), result.kind, f"{result.cases:,}", *_rates(result))
    _add_total(table, of_capability["all"])
    return table


def _add_total(table: Table, total: Total) -> None:
    table.add_row(Text(total.name), "", f"{total.cases:,}", *_rates(total), style="bold")


def _failed(result: FamilyResult) -> Text:
    lines = [f"\n{result.capability}: {result.name} (expected: {result.expected})"]
    for failure in result.examples:
        steps = zip(failure.texts, failure.answers, strict=True)
        lines.append("  " + "  ->  ".join(f"{text} [{answer}]" for text, answer in steps))
    return Text("\n".join(lines))


def _markdown_totals(results: Sequence[FamilyResult]) -> Iterator[str]:
    yield "| capability | families | cases | failed | 95% interval |"
    yield "|---|---|---|---|---|"
    for total in totals(results):
        failed, interval = _rates(total)
        yield f"| {total.name} | {total.families} | {total.cases:,} | {failed} | {interval} |"


def _markdown_families(results: Sequence[FamilyResult]) -> Iterator[str]:
    yield "| family | kind | expected | cases | failed | 95% interval | such as |"
    yield "|---|---|---|---|---|---|---|"
    for result in results:
        failed, interval = _rates(result)
        steps = zip(result.examples[0].texts, result.examples[0].answers, strict=True) if result.examples else ()
        example = " → ".join(f"{_cell(text)} ({answer})" for text, answer in steps)
        kind = f"{result.kind} | {result.expected} | {result.cases:,}"
        yield f"| {result.capability}: {_cell(result.name)} | {kind} | {failed} | {interval} | {example} |"


def _notes(results: Sequence[FamilyResult]) -> Iterator[str]:
    yield "Kinds: " + "; ".join(f"{kind}, {meaning}" for kind, meaning in KINDS.items()) + "."
    yield ""
    left_out = [result for result in results if result.not_applicable]
    if left_out:
        names = ", ".join(result.name for result in left_out)
        yield f"Does not apply, since {left_out[0].not_applicable}: {names}."


def _rates(result: FamilyResult | Total) -> tuple[str, str]:
    if result.low is None or result.high is None:
        return "does not apply", "-"
    return f"{result.failures / result.cases:.1%}", f"{result.low:.1%} to {result.high:.1%}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
