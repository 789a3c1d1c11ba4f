"""Results of an experiment: the claim, the test, the measurements, and whether the claim held."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Verdict = Literal["held", "mixed", "did not hold"]


@dataclass(frozen=True, slots=True)
class Claim:
    """What is tested.

    Attributes:
        name: the word that ``--only`` takes.
        title: the section's heading.
        statement: the claim, as its source makes it.
        source: where the claim stands.
    """

    name: str
    title: str
    statement: str
    source: str


@dataclass(frozen=True, slots=True)
class Check:
    """One part of a claim under a rule that was fixed before anything was measured.

    Attributes:
        rule: what has to be found for this part to hold, with its threshold.
        measured: what was found, in the rule's terms.
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
        caption: what to see in it.
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
        setting: how it was measured, by heading.
        numbers: everything measured, as plain JSON types.
        meaning: what follows for a choice of cell, depth, connection or threshold.
        cpu_seconds: what the experiment took; filled in by ``experiments``.
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
        """All parts, some, or none; see ``verdict_of``."""
        return verdict_of(self.checks)


def verdict_of(checks: Sequence[Check]) -> Verdict:
    """A claim held where all of its checks did, did not hold where none did, and is mixed in between.

    Raises:
        ValueError: there is no check, so nothing was tested.
    """
    if not checks:
        message = "a claim needs at least one check; a section without one would be an opinion"
        raise ValueError(message)
    held = [check.held for check in checks]
    if all(held):
        return "held"
    return "mixed" if any(held) else "did not hold"
