"""Names in a message or a table: not too many and not too long."""

from collections.abc import Iterable

LONGEST_NAME = 40
"""A file in another format has its whole first line as one column name."""


def listed(names: Iterable[str], *, most: int = 12) -> str:
    """The first names, separated by commas, and how many more there are; "none" if there are none."""
    shortened = [name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}..." for name in names]
    more = len(shortened) - most
    return (", ".join(shortened[:most]) or "none") + (f" and {more:,} more" if more > 0 else "")
