"""Results of an experiment: the claim, the test, the measurements, and whether the claim held."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Verdict = Literal["held", "mixed", "did not hold"]


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim of the lecture.

    Attributes:
        name: the word that ``--only`` takes.
        title: the section's heading.
        statement: the claim, as its source makes it.
        source: the publication that makes the claim.
    """

    name: str
    title: str
    statement: str
    source: str


@dataclass(frozen=True, slots=True)
class Check:
    """One part of a claim, with a rule that was fixed before the measurement.

    Attributes:
        rule: the condition for this part to hold, with its threshold.
        measured: the measurement, in the rule's terms.
        held: whether the rule is met.
    """

    rule: str
    measured: str
    held: bool


@dataclass(frozen=True, slots=True)
class Plot:
    """A drawing.

    Attributes:
        name: file name without its ending; unique in a report.
        svg: the drawing, in the colors of ``plots``.
        caption: what the drawing shows.
    """

    name: str
    svg: str
    caption: str


@dataclass(frozen=True, slots=True)
class Table:
    """Measured numbers as they are shown; the first column names the row."""

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Finding:
    """A section of the report.

    Attributes:
        setting: conditions of the measurement: a heading to a sentence.
        numbers: everything measured, as plain JSON types.
        meaning: what follows for a choice of cell, depth, connection or threshold.
        cpu_seconds: CPU time of the experiment; filled in by ``experiments``.
    """

    claim: Claim
    setting: Mapping[str, str]
    plots: Sequence[Plot]
    tables: Sequence[Table]
    numbers: dict[str, Any]
    checks: Sequence[Check]
    meaning: str
    cpu_seconds: float = field(default=0.0)

    @property
    def verdict(self) -> Verdict:
        """Whether the claim held; see ``verdict_of``."""
        return verdict_of(self.checks)


def verdict_of(checks: Sequence[Check]) -> Verdict:
    """Decide whether a claim held (all checks did), did not hold (none did), or is mixed.

    Raises:
        ValueError: the list of checks is empty.
    """
    if not checks:
        message = "a claim needs at least one check; a section without one would be an opinion"
        raise ValueError(message)
    held = [check.held for check in checks]
    if all(held):
        return "held"
    return "mixed" if any(held) else "did not hold"
