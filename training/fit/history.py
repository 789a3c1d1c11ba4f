"""Figures of a run over its steps, small enough to be part of every checkpoint."""

import math
from typing import Any

Series = list[tuple[int, float]]

LEARNING_RATE = "learning_rate"
"""The highest of all parameter groups."""

GRADIENT_NORM = "gradient_norm"
"""Before clipping."""

LONGEST = 4000
"""Maximum number of points of a series. A full series drops every second point. More than a plot shows; 100 kB."""


class History:
    """Named series of (optimizer step, value), and each validation's figures.

    Attributes:
        series: by the name a figure is logged under.
        validations: epoch, step and figures of each validation, in order.
    """

    def __init__(self) -> None:
        self.series: dict[str, Series] = {}
        self.validations: list[dict[str, Any]] = []

    def add(self, step: int, values: dict[str, float]) -> None:
        """Add one point to each series: finite ones, and no step twice."""
        for name, value in values.items():
            points = self.series.setdefault(name, [])
            if not math.isfinite(value) or (points and points[-1][0] >= step):
                continue
            points.append((step, value))
            if len(points) > LONGEST:
                del points[1::2]

    def add_validation(self, *, epoch: int, step: int, figures: dict[str, float]) -> None:
        """Add one validation to the list and its figures to the series."""
        self.validations.append({"epoch": epoch, "step": step, "figures": figures})
        self.add(step, {f"validation/{name}": value for name, value in figures.items()})

    def first_with(self, name: str, value: float) -> dict[str, Any] | None:
        """The validation that first reached a figure, such as the one a best checkpoint was kept for."""
        matches = (entry for entry in self.validations if math.isclose(entry["figures"].get(name, math.nan), value))
        return next(matches, None)

    def state_dict(self) -> dict[str, Any]:
        """In plain types, for a checkpoint that loads without running code."""
        return {
            "series": {name: [list(point) for point in points] for name, points in self.series.items()},
            "validations": [{**entry, "figures": dict(entry["figures"])} for entry in self.validations],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume where a checkpoint left off."""
        self.series = {name: [(step, value) for step, value in points] for name, points in state["series"].items()}
        self.validations = [dict(entry) for entry in state["validations"]]
