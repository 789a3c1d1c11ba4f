"""Names beside the points of a scatter plot."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

Point = tuple[float, float]

PLACES = (
    *((6, 0, "left"), (-6, 0, "right"), (0, 9, "center"), (0, -9, "center")),
    *((5, 9, "left"), (5, -9, "left"), (-5, 9, "right"), (-5, -9, "right")),
    *((6, 18, "left"), (6, -18, "left"), (-6, 18, "right"), (-6, -18, "right")),
)
"""Where a name may stand, the best first: points to the right and up, and which of its sides is there."""

RADIUS = 5
"""Of a point with what is left free around it, in points."""

COVERED, CROSSED, WORSE = 4.0, 1.0, 0.15
"""What it costs a place to cover a point or a name, to be crossed by the line, and to be one later in ``PLACES``."""


def name_points(
    axes: Axes, points: Mapping[str, Point], colors: Mapping[str, str], *, corners: Sequence[Point] = ()
) -> None:
    """Write each point's name inside the axes, where it covers no point, name or line; call once all is drawn.

    The highest point has the first choice. A name for which all places are taken stands where it covers least.

    Args:
        axes: with all points.
        points: name to place.
        colors: name to color.
        corners: of a line that goes up and to the right.
    """
    figure = axes.get_figure(root=True)
    if figure is None:
        return
    figure.draw_without_rendering()  # limits and scales are final only now
    radius = RADIUS * figure.dpi / 72
    centers = [axes.transData.transform(point) for point in points.values()]
    taken = [Bbox.from_extents(x - radius, y - radius, x + radius, y + radius) for x, y in centers]
    line = [Bbox(ends) for ends in pairwise(axes.transData.transform(list(corners)) if corners else [])]

    def cost(index: int, box: Bbox) -> float:
        if not axes.bbox.x0 <= box.x0 <= box.x1 <= axes.bbox.x1:
            return float("inf")
        return WORSE * index + COVERED * box.count_overlaps(taken) + CROSSED * box.count_overlaps(line)

    for name, point in sorted(points.items(), key=lambda item: item[1][1], reverse=True):
        texts = [_beside(axes, name, point, place, color=colors[name]) for place in PLACES]
        boxes = [text.get_window_extent() for text in texts]
        best = min(range(len(PLACES)), key=lambda index: cost(index, boxes[index]))
        taken.append(boxes[best])
        for index, text in enumerate(texts):
            if index != best:
                text.remove()


def _beside(axes: Axes, name: str, point: Point, place: tuple[int, int, str], *, color: str) -> Annotation:
    right, up, side = place
    return axes.annotate(
        name, point, xytext=(right, up), textcoords="offset points", ha=side, va="center", fontsize=8, color=color
    )
