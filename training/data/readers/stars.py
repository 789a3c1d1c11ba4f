"""The labels that numbers of stars stand for."""

from collections.abc import Iterator, Mapping

LABELS = {"1": "negative", "2": "negative", "3": "neutral", "4": "positive", "5": "positive"}


def with_stars(label_map: Mapping[str, str | None] | None) -> dict[str, str | None]:
    """A label map of all ways to write stars.

    Args:
        label_map: goes before it; {"3": null} leaves the middle out however it is written.
    """
    own = label_map or {}
    stars = {written: own.get(number, label) for number, label in LABELS.items() for written in _ways_to_write(number)}
    return {**stars, **own}


def _ways_to_write(number: str) -> Iterator[str]:
    yield number
    yield from (f"{number} star", f"{number} stars", f"{number}/5", "\N{BLACK STAR}" * int(number))
