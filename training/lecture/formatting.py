"""Formatting of measurements: averages with the range over seeds, and shares of any size."""

import math
from collections.abc import Sequence
from statistics import fmean

SMALLEST_DECIMAL = 1e-3
LARGEST_DECIMAL = 1e4
ONE_PERCENT = 1e-2
SMALLEST_PERCENT = 1e-6
RAISED = str.maketrans("-0123456789", "\u207b\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079")


def short(value: float) -> str:
    """Three significant digits: 0.123, 45.6, 7.9\u00b710\u207b\u00b9\u00b2."""
    if not math.isfinite(value):
        return "not a number" if math.isnan(value) else "infinite"
    if value == 0:
        return "0"
    if not SMALLEST_DECIMAL <= abs(value) < LARGEST_DECIMAL:
        return scientific(value)
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.3g}"


def scientific(value: float) -> str:
    """Two digits and a power of ten, without a hyphen at which a line could break."""
    digits, _, power = f"{value:.1e}".partition("e")
    return f"{digits.removesuffix('.0')}\u00b710{str(int(power)).translate(RAISED)}"


def percent(value: float) -> str:
    """A share: 12.3%, 0.042%, and below that as ``short`` has it."""
    size = abs(value)
    if size >= ONE_PERCENT or value == 0:
        return f"{value:.1%}"
    return f"{100 * value:.2g}%" if size >= SMALLEST_PERCENT else scientific(value)


def spread(values: Sequence[float], *, share: bool = False) -> str:
    """The mean and, in brackets, the smallest and the largest: 0.62 (0.58 to 0.65)."""
    write = percent if share else short
    mean, low, high = write(fmean(values)), write(min(values)), write(max(values))
    return mean if low == high else f"{mean} ({low} to {high})"
