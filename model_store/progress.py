"""How far long work is: a bar in a terminal; in a log file a plain line every half minute, at once on the disk."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from types import TracebackType
from typing import Self, TypeVar

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from model_store.plain_console import plain_console

Item = TypeVar("Item")

BAR_AFTER = 2.0
"""Seconds after which a bar is drawn; shorter work needs none."""

FIRST_LINE_AFTER = 10.0
"""Seconds after which a log file gets its first line."""

LINE_EVERY = 30.0
"""Seconds between further lines."""

LOOK_EVERY = 0.25
"""Seconds between two drawings of the bar."""

BAR_WIDTH = 40

_running: "list[Progress]" = []
"""Those that are shown, the outermost first."""


class Progress:
    """Shows on standard error how far work is, with its rate and the time that is left.

    Progress within progress is shown as part of the outer one's line.

    Args:
        title: of the work.
        total: how much there is; None if that is not known.
        unit: what is counted, in the plural.
        done: what was done before, such as the steps of a run that is resumed.
        shown: False shows nothing, for all processes of a distributed run but the first.
        console: where it is shown.
        clock: seconds.
    """

    def __init__(
        self,
        title: str,
        *,
        total: int | None = None,
        unit: str = "texts",
        done: int = 0,
        shown: bool = True,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.title = title
        self.total = total
        self.unit = unit
        self.done = done
        self._before = done
        self._console = console or plain_console(stderr=True)
        self._shown = shown
        self._clock = clock
        self._started = self._looked = clock()
        self._next_line = self._started + FIRST_LINE_AFTER
        self._lines = 0
        self._note: Callable[[], str] = str
        self._within = ""
        self._outer: Progress | None = None
        self._live: Live | None = None

    def __enter__(self) -> Self:
        self._outer = _running[-1] if _running else None
        _running.append(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close(finished=kind is None)

    def close(self, *, finished: bool = True) -> None:
        """End the display; a log file that has lines gets a last one with the whole time."""
        if self in _running:
            _running.remove(self)
        if self._live is not None:
            self._live.stop()
            self._live = None
        if self._outer is not None:
            self._outer._within = ""  # noqa: SLF001 - of this class
        elif self._lines and finished:
            counted = f"{self.done:,} {self.unit} in " if self.done or self.total else ""
            self._print(f"{self.title}: {counted}{in_words(self._clock() - self._started)}.")

    def advance(self, count: int = 1) -> None:
        """Count work as done."""
        self.update(self.done + count)

    def update(self, done: int, note: Callable[[], str] | None = None) -> None:
        """Set how much is done.

        Args:
            done: in all.
            note: gives further figures for the line; only called when the line is shown.
        """
        self.done = done
        self._note = note or self._note
        self._look()

    def message(self, line: str) -> None:
        """Print a line that stays."""
        if self._shown:
            self._print(line)

    def line(self) -> str:
        """The state of the work in words."""
        elapsed = self._clock() - self._started
        rate = (self.done - self._before) / elapsed if elapsed > 0 else 0.0
        counted = f"{self.done:,} {self.unit}"
        if not self.done and not self.total:  # work of one call, which cannot be counted
            counted = f"{in_words(elapsed)} so far"
        if self.total:
            counted = f"{self.done:,} of {self.total:,} {self.unit} ({self.done / self.total:.0%})"
        parts = [counted]
        if rate:
            parts.append(f"{rate:,.0f} a second" if rate >= 10 else f"{rate:.2g} a second")  # noqa: PLR2004
        if rate and self.total:
            parts.append(f"{in_words((self.total - self.done) / rate)} left")
        state = ", ".join(parts)
        return "; ".join(part for part in (f"{self.title}: {state}", self._note(), self._within) if part)

    def _look(self) -> None:
        """Show the line if it is time to."""
        now = self._clock()
        if not self._shown or now - self._looked < LOOK_EVERY:
            return
        self._looked = now
        if self._outer is not None:
            self._outer._within = self.line()  # noqa: SLF001 - of this class
            self._outer._look()  # noqa: SLF001
        elif self._console.is_terminal:
            self._draw(now)
        elif now >= self._next_line:
            self._next_line = now + LINE_EVERY
            self._lines += 1
            self._print(self.line())

    def _draw(self, now: float) -> None:
        if self._live is None and now - self._started >= BAR_AFTER:
            self._live = Live(console=self._console, transient=True, auto_refresh=False)
            self._live.start()
        if self._live is not None:
            rows = Table.grid()
            rows.add_row(ProgressBar(total=self.total, completed=self.done, width=BAR_WIDTH, pulse=self.total is None))
            rows.add_row(Text(self.line()))
            self._live.update(rows, refresh=True)

    def _print(self, line: str) -> None:
        self._console.print(Text(line), soft_wrap=True)
        self._console.file.flush()


def track(
    items: Iterable[Item], title: str, *, total: int | None = None, unit: str = "texts", shown: bool = True
) -> Iterator[Item]:
    """The items, with progress shown; ``total`` is taken from their length if they have one."""
    if total is None and isinstance(items, Sized):
        total = len(items)
    with Progress(title, total=total, unit=unit, shown=shown) as progress:
        for count, item in enumerate(items, start=1):
            yield item
            progress.update(count)


@contextmanager
def working(title: str) -> Iterator[None]:
    """Shows that work goes on, and for how long, while one call does all of it.

    Args:
        title: of the work, which shows no progress of its own.
    """
    ended = threading.Event()
    with Progress(title) as progress:

        def look() -> None:
            while not ended.wait(LOOK_EVERY):
                progress.update(0)

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


def in_words(seconds: float) -> str:
    """A duration as a person would say it: "45 s", "12 min", "3 h 20 min"."""
    if seconds < 60:  # noqa: PLR2004
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    hours, rest = divmod(minutes, 60)
    return f"{minutes} min" if not hours else f"{hours:,} h {rest} min"
