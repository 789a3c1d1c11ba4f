"""Options that take one file or several: ``one.csv`` or ``[one.csv, other.csv]``."""

from collections.abc import Sequence
from pathlib import Path

Files = str | list[str]


def paths(files: str | Sequence[str]) -> list[Path]:
    """The files as paths, however many were named."""
    return [Path(name) for name in ([files] if isinstance(files, str) else files)]
