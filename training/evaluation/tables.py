"""Tables without borders for the terminal."""

from rich.table import Table
from rich.text import Text


def plain_table(*columns: str, left: int = 1) -> Table:
    """A table with these column heads, of which the first ``left`` are aligned to the left and the others to the right.

    The columns to the right do not break their content on a narrow terminal.
    """
    table = Table(box=None, padding=(0, 3, 0, 0), header_style="dim")
    for index, name in enumerate(columns):
        on_the_right = index >= left
        table.add_column(Text(name), justify="right" if on_the_right else "left", no_wrap=on_the_right)
    return table
