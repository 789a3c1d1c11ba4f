"""Tables and figures as the model card writes them."""

from collections.abc import Iterable, Iterator, Sequence

METRICS = {
    "accuracy": "accuracy",
    "polar_accuracy": "polar accuracy",
    "macro_f1": "macro F1",
    "calibration_error": "calibration error",
}
"""Names of metrics in the order of a table's columns; others follow under their own."""


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A Markdown table, line by line; what a cell holds cannot break it."""
    yield _row(heads)
    yield "|" + "---|" * len(heads)
    for row in rows:
        yield _row([_safe(cell) for cell in row])


def percent(value: float, low: float | None = None, high: float | None = None) -> str:
    """A share in [0, 1] as a percentage, with its interval where there is one."""
    if low is None or high is None:
        return f"{100 * value:.2f}%"
    return f"{100 * value:.2f}% ({100 * low:.2f} to {100 * high:.2f})"


def in_order(metrics: Iterable[str]) -> list[str]:
    """Each metric once, in the order of ``METRICS``."""
    found = list(dict.fromkeys(metrics))
    return [name for name in METRICS if name in found] + [name for name in found if name not in METRICS]


def in_words(metric: str) -> str:
    """A metric's name for people."""
    return METRICS.get(metric, metric.replace("_", " "))


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |" if any(cells) else "| " * len(cells) + "|"


def _safe(cell: str) -> str:
    return " ".join(cell.replace("|", "\\|").split())
