"""A terminal on which paths, labels and texts look as they are."""

from rich.console import Console


def plain_console(*, stderr: bool = False) -> Console:
    """A console that prints strings literally.

    By default rich reads ``[a]`` as a style, ``[/a]`` as its end, which may be an error, and ``:a:`` as an emoji. A
    folder or a label may have such a name. Use ``Text`` for styles.
    """
    return Console(stderr=stderr, markup=False, emoji=False)
