"""The labels that numbers of stars stand for."""

from collections.abc import Iterator, Mapping

LABELS = {"1": "negative", "2": "negative", "3": "neutral", "4": "positive", "5": "positive"}


def with_stars(label_map: Mapping[str, str | None] | None) -> dict[str, str | None]:
    """A label map of all ways to write stars.

    Args:
        label_map: goes before it; {"3": null} leaves the middle out however it is written.
    """
    own = label_map or {}
    return {**{written: own.get(number, LABELS[number]) for written, number in WRITTEN.items()}, **own}


def _ways_to_write(number: str) -> Iterator[str]:
    yield number
    yield from (f"{number} {word}" for word in ("star", "stars", "Star", "Stars", "STAR", "STARS"))
    yield from (f"{number}/5", f"{number} / 5", f"{number} out of 5")
    filled = "\N{BLACK STAR}" * int(number)
    yield from (filled, filled + "\N{WHITE STAR}" * (5 - int(number)))


WRITTEN = {written: number for number in LABELS for written in _ways_to_write(number)}
"""The number of stars that each way to write it means."""
