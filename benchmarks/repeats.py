"""Repeated measurements in words."""

from collections.abc import Sequence
from statistics import median


def median_and_range(values: Sequence[float], form: str = ".2f") -> str:
    """The median, and in brackets the smallest and the largest."""
    return f"{median(values):{form}} ({min(values):{form}} to {max(values):{form}})"
