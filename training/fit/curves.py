"""Draws a run's curves: losses, validation figures, learning rate and gradient norm over the steps."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, PercentFormatter

from model_store.atomic_write import atomic_path
from training.fit.history import GRADIENT_NORM, LEARNING_RATE, History, Series

BLUE, ORANGE, GREEN, GRAY = "#3b6ea8", "#d9822b", "#4a8f6a", "#8a8f98"

SCORES = {
    "validation/accuracy": ("accuracy", GREEN),
    "validation/subset_accuracy": ("subset accuracy", GREEN),
    "validation/micro_f1": ("micro-F1", ORANGE),
    "validation/macro_f1": ("macro-F1", BLUE),
}
"""Title and color of each figure of a validation that a run may have."""
SMOOTHED_OVER = 0.05  # part of all points a running mean covers

FEW_POINTS = 10
"""Up to so many points are drawn one by one."""


def draw_curves(history: History, path: Path, *, title: str, best_step: int | None = None) -> None:
    """Write a PNG; panels without a figure are omitted; without any panel the file is not written.

    Args:
        history: the run's series.
        path: the PNG.
        title: shown above the panels.
        best_step: step of the best checkpoint, marked in the panel of the validation figures.
    """
    panels = _panels(history, best_step)
    if not panels:
        return
    figure = Figure(figsize=(11, 3.6 * (1 + (len(panels) - 1) // 2)), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=14, fontweight="bold", color="#2b2f36")
    grid = figure.add_gridspec((len(panels) + 1) // 2, 2)
    for index, (name, draw) in enumerate(panels):
        alone = index == len(panels) - 1 and index % 2 == 0
        axes = figure.add_subplot(grid[index // 2, :] if alone else grid[index // 2, index % 2])
        draw(axes)
        _dress(axes, name)
    with atomic_path(path) as partial:
        figure.savefig(partial, format="png", dpi=130, facecolor="white")


def smoothed(points: Series) -> tuple[list[int], list[float]]:
    """A centered running mean over a twentieth of the points, of those there are towards the ends."""
    values = np.array([value for _, value in points])
    reach = max(1, round(len(values) * SMOOTHED_OVER / 2))
    sums = np.concatenate([[0.0], values.cumsum()])
    positions = np.arange(len(values))
    first, last = (positions - reach).clip(min=0), (positions + reach + 1).clip(max=len(values))
    means: list[float] = ((sums[last] - sums[first]) / (last - first)).tolist()
    return [step for step, _ in points], means


def _panels(history: History, best_step: int | None) -> list[tuple[str, Callable[[Axes], None]]]:
    series = history.series
    candidates: list[tuple[str, list[str], Callable[[Axes], None]]] = [
        ("Loss", ["train/loss", "validation/loss"], lambda axes: _draw_losses(axes, series)),
        (
            "Validation",
            list(SCORES),
            lambda axes: _draw_scores(axes, series, best_step),
        ),
        ("Learning rate", [LEARNING_RATE], lambda axes: _draw_rate(axes, series[LEARNING_RATE])),
        ("Gradient norm", [GRADIENT_NORM], lambda axes: _draw_gradient(axes, series[GRADIENT_NORM])),
    ]
    return [(name, draw) for name, needs, draw in candidates if any(series.get(need) for need in needs)]


def _draw_losses(axes: Axes, series: dict[str, Series]) -> None:
    if points := series.get("train/loss"):
        axes.plot(*_columns(points), color=BLUE, alpha=0.25, linewidth=0.8)
        axes.plot(*smoothed(points), color=BLUE, linewidth=1.8, marker=_marker(points), label="training")
    if points := series.get("validation/loss"):
        axes.plot(*_columns(points), color=ORANGE, linewidth=1.6, marker="o", markersize=4, label="validation")
    axes.set_ylabel("cross-entropy")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)


def _draw_scores(axes: Axes, series: dict[str, Series], best_step: int | None) -> None:
    for name, (label, color) in SCORES.items():
        if points := series.get(name):
            axes.plot(*_columns(points), color=color, linewidth=1.6, marker="o", markersize=4, label=label)
    if best_step is not None:
        axes.axvline(best_step, color=GRAY, linewidth=1, linestyle=(0, (4, 3)), label="best checkpoint", zorder=0)
    axes.yaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=None))
    axes.legend(frameon=False)


def _draw_rate(axes: Axes, points: Series) -> None:
    axes.plot(*_columns(points), color=GRAY, linewidth=1.8, marker=_marker(points))
    axes.set_ylim(bottom=0)
    axes.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3), useMathText=True)


def _draw_gradient(axes: Axes, points: Series) -> None:
    axes.plot(*_columns(points), color=ORANGE, alpha=0.3, linewidth=0.8)
    axes.plot(*smoothed(points), color=ORANGE, linewidth=1.8, marker=_marker(points))
    axes.set_ylabel("before clipping")
    values = [value for _, value in points if value > 0]
    if values and max(values) > 100 * min(values):
        axes.set_yscale("log")


def _dress(axes: Axes, title: str) -> None:
    axes.set_title(title, loc="left", fontsize=11, color="#2b2f36")
    axes.set_xlabel("step")
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.grid(visible=True, color="#e6e8eb", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors="#555b66", length=0)
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(side == "bottom")
        axes.spines[side].set_color("#c5c9d0")


def _columns(points: Series) -> tuple[list[int], list[float]]:
    return [step for step, _ in points], [value for _, value in points]


def _marker(points: Series) -> str | None:
    """A dot for each point of a short run, whose line would be hard to see, or of one point no line at all."""
    return "o" if len(points) <= FEW_POINTS else None
