"""Labeled texts, errors in data files, and the count of rows that were skipped."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

BadRowPolicy = Literal["stop", "skip"]
LeakPolicy = Literal["stop", "drop"]
Unit = Literal["line", "row"]
"""The unit of positions in a file: lines, or rows in a format without lines."""

_OPTION = re.compile(r"(?<!\S)--(?=[a-z_]+\b(?!\.))")
"""The dashes of an option without a group."""

_KEPT_FOR_SUMMARY = 5  # enough to recognize one systematic fault, short enough for the end of a log


@dataclass(frozen=True, slots=True)
class Example:
    """A text and its label, and their position in a file.

    Attributes:
        label: empty for a text that only a teacher has labeled; with several labels, their names joined.
        line: 1-based line in its file; for Parquet, which has no lines, the 1-based row.
        teacher: each label's log-probability according to a teacher, NaN if the teacher did not score this text; None
            if the file has no such scores. See ``distillation``.
        labels: any number of labels, sorted, in a multi-label file; None in any other.
    """

    text: str
    label: str
    line: int
    teacher: Mapping[str, float] | None = None
    labels: tuple[str, ...] | None = None

    @property
    def label_names(self) -> tuple[str, ...]:
        """Its labels, of which it has one unless the file is multi-label."""
        return (self.label,) if self.labels is None else self.labels


class DataError(ValueError):
    """A file or row that cannot be used; the message names the position, the problem and the fix.

    Args:
        path: the file as the user named it.
        line: 1-based line or row; None if the whole file is meant.
        problem: a sentence, shown after the place.
        fix: what to do about it, one or more sentences on lines of their own.
        unit: what ``line`` counts.
    """

    def __init__(self, path: Path, line: int | None, *, problem: str, fix: str, unit: Unit = "line") -> None:
        location = f"{path}" if line is None else f"{path.name}, {unit} {line:,}"
        super().__init__(f"{location}: {problem}\n{fix}")
        self.path = path
        self.line = line
        self.problem = problem
        self.fix = fix
        self.unit = unit

    def in_group(self, group: str) -> str:
        """The message with its options under a group's name: ``--data.format`` for ``--format`` in the group "data"."""
        position = str(self).partition(": ")[0]
        return f"{position}: {_with_group(self.problem, group)}\n{_with_group(self.fix, group)}"

    @property
    def headline(self) -> str:
        """The position and the problem, without the fix."""
        return str(self).partition("\n")[0]

    def __reduce__(self) -> tuple[Callable[[], "DataError"], tuple[()]]:
        # By default exceptions are pickled with only their message, which this constructor does not accept.
        rebuild = partial(DataError, self.path, self.line, problem=self.problem, fix=self.fix, unit=self.unit)
        return rebuild, ()


def _with_group(text: str, group: str) -> str:
    return _OPTION.sub(f"--{group}.", text)


class SkippedRows:
    """Counts rows that are skipped, or raises at the first.

    Args:
        policy: stop at the first, or leave them out (skip, drop) and count them.
        name: of one of them.

    Attributes:
        count: rows left out so far.
        first: the errors of the first few of them.
    """

    def __init__(self, policy: BadRowPolicy | LeakPolicy, name: str = "bad row") -> None:
        self.policy = policy
        self.name = name
        self.count = 0
        self.first: list[DataError] = []

    def record(self, error: DataError) -> None:
        """Raise ``error`` or count it, as the policy says."""
        if self.policy == "stop":
            raise error
        self.count += 1
        if len(self.first) < _KEPT_FOR_SUMMARY:
            self.first.append(error)

    def merge(self, other: "SkippedRows") -> None:
        """Add the rows of another count."""
        self.count += other.count
        self.first += other.first[: _KEPT_FOR_SUMMARY - len(self.first)]

    def summary(self) -> str:
        """The number of skipped rows and the first few errors, one a line."""
        if not self.count:
            return f"No {self.name}s."
        lines = [f"Left out {self.count:,} {self.name}{'' if self.count == 1 else 's'}:"]
        lines += [f"  {error.headline}" for error in self.first]
        if self.count > len(self.first):
            lines.append(f"  and {self.count - len(self.first):,} more")
        return "\n".join(lines)
