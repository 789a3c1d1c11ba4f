"""Records of a delimited file with the lines they are on, so that a wrong quote costs one row and not the file."""

import csv
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

MAX_FIELD = 1 << 24
"""Characters of one field. Where there are more, a quote is never closed; without a limit the rest of the file would be
held in memory. The csv module's own limit of 131,072 is less than a long article."""

Problem = TypeVar("Problem")
"""Why a line cannot be used, in whatever form a reader reports it."""


@dataclass
class Lines(Generic[Problem]):
    """A file's lines for the ``csv`` module, which may be read again from a record's second line on.

    Attributes:
        source: number, text and problem of each line. A line with a problem needs its delimiters and quotes, so that
            the record it belongs to can be found.
        taken: those of the record being read.
    """

    source: Iterator[tuple[int, str, Problem | None]]
    taken: list[tuple[int, str, Problem | None]] = field(default_factory=list)
    _again: deque[tuple[int, str, Problem | None]] = field(default_factory=deque)

    def __iter__(self) -> "Lines[Problem]":
        return self

    def __next__(self) -> str:
        self.taken.append(self._again.popleft() if self._again else next(self.source))
        return self.taken[-1][1]

    def reread(self) -> None:
        """Read the record's lines again, without the first."""
        self._again.extendleft(reversed(self.taken[1:]))
        self.taken.clear()


@dataclass(frozen=True)
class Record(Generic[Problem]):
    """A record that is not blank.

    Attributes:
        line: the one it starts on.
        last: the last one that was read of it.
        fields: empty if its quotes are wrong.
        problem: that of the first of its lines that cannot be used.
        malformed: what is wrong with its quotes, so that its end is not known.
    """

    line: int
    last: int
    fields: list[str]
    problem: Problem | None = None
    malformed: str = ""


def read_records(lines: Lines[Problem], delimiter: str) -> Iterator[Record[Problem]]:
    """Records from the next line on; ``lines.reread()`` after one that is malformed resumes at its second line."""
    csv.field_size_limit(MAX_FIELD)
    # strict: without it a quote that is never closed takes the rest of the file into one field, in silence.
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        lines.taken.clear()
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            reason = str(error)
            if reason.startswith("field larger than"):
                reason = f"a field has more than {MAX_FIELD:,} characters, so that a quote is probably never closed"
            yield Record(lines.taken[0][0], lines.taken[-1][0], [], malformed=reason)
        else:
            problem = next((problem for _, _, problem in lines.taken if problem is not None), None)
            if fields or problem is not None:
                yield Record(lines.taken[0][0], lines.taken[-1][0], fields, problem)
