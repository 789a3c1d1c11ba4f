"""Row counts on the terminal, shown while a file takes long to read."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from time import monotonic
from typing import TypeVar

from lightning_utilities.core.rank_zero import rank_zero_only
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from model_store.plain_console import plain_console

_Row = TypeVar("_Row")

_SHOWN_AFTER = 2.0  # seconds; faster reading needs no progress display
_ROWS_A_LOOK = 1000


def watched(rows: Iterable[_Row], title: str) -> Iterator[_Row]:
    """The rows, counted on the terminal of the first process; the line is removed at the end."""
    console = plain_console(stderr=True)
    if not console.is_terminal or getattr(rank_zero_only, "rank", 0) != 0:
        yield from rows
        return
    progress = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        TextColumn("{task.completed:,.0f} rows"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )
    task = progress.add_task(title, total=None)
    start = monotonic()
    with ExitStack() as shown:
        for count, row in enumerate(rows, start=1):
            yield row
            if count % _ROWS_A_LOOK == 0:
                progress.update(task, completed=count)
                if not progress.live.is_started and monotonic() - start > _SHOWN_AFTER:
                    shown.enter_context(progress)
