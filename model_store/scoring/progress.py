"""How far long work is: a bar in a terminal, and a line every half minute where there is none."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from time import monotonic
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from model_store.plain_console import plain_console

SECONDS_BETWEEN_LINES = 30.0


class Watch(Protocol):
    """What is told of every piece of work that is done: its rows, and its share of the whole from 0 to 1."""

    def __call__(self, rows: int, share: float) -> None:
        """Count them."""


@contextmanager
def watching(title: str, *, console: Console | None = None, every: float = SECONDS_BETWEEN_LINES) -> Iterator[Watch]:
    """Show rows, rate and time left on standard error while the block runs.

    Args:
        title: what is done.
        console: where; by default standard error.
        every: seconds between lines if the console is not a terminal.
    """
    console = plain_console(stderr=True) if console is None else console
    if not console.is_terminal:
        yield _Lines(title, console, every)
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rows]:,} rows, {task.fields[rate]:,.0f} a second,"),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(title, total=1.0, rows=0, rate=0.0)
        begin, done = monotonic(), 0

        def advance(rows: int, share: float) -> None:
            nonlocal done
            done += rows
            progress.update(task, advance=share, rows=done, rate=done / max(monotonic() - begin, 1e-9))

        yield advance


@dataclass
class _Lines:
    title: str
    console: Console
    every: float
    begin: float = field(default_factory=monotonic)
    last: float = field(default_factory=monotonic)
    rows: int = 0
    share: float = 0.0

    def __call__(self, rows: int, share: float) -> None:
        self.rows += rows
        self.share += share
        now = monotonic()
        if now - self.last < self.every:
            return
        self.last = now
        seconds = now - self.begin
        left = timedelta(seconds=round(seconds * (1 - self.share) / max(self.share, 1e-9)))
        line = f"{self.title}: {self.share:.1%}, {self.rows:,} rows, {self.rows / seconds:,.0f} a second, {left} left"
        self.console.print(line, highlight=False, soft_wrap=True)
        self.console.file.flush()
