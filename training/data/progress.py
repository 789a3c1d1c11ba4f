"""Row counts while a file takes long to read."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from lightning_utilities.core.rank_zero import rank_zero_only

from model_store.progress import track

_Row = TypeVar("_Row")


def watched(rows: Iterable[_Row], title: str) -> Iterator[_Row]:
    """The rows, counted on the terminal or in the log of the first process."""
    return track(rows, title, unit="rows", shown=getattr(rank_zero_only, "rank", 0) == 0)
