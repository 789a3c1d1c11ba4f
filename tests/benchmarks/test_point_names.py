"""Names beside points."""

from itertools import combinations

from benchmarks.point_names import name_points
from training.lecture.plots import BLUE, finished, new_plot

POINTS = {"low and left": (1.0, 80.0), "beside it": (1.2, 80.1), "far right": (90.0, 80.05), "high": (1.0, 95.0)}


def names_on(points, corners=()):
    figure, axes = new_plot("Where names stand", x="x", y="y")
    for x, y in points.values():
        axes.plot(x, y, marker="o")
    axes.set_xscale("log")
    name_points(axes, points, dict.fromkeys(points, BLUE), corners=corners)
    return figure, axes, {text.get_text(): text.get_window_extent() for text in axes.texts}


def test_no_name_covers_another_one_or_leaves_the_axes():
    _, axes, boxes = names_on(POINTS)
    assert set(boxes) == set(POINTS)  # one for each
    assert not any(one.overlaps(other) for one, other in combinations(boxes.values(), 2))
    assert all(axes.bbox.x0 <= box.x0 and box.x1 <= axes.bbox.x1 for box in boxes.values())


def test_no_name_covers_a_point():
    _, axes, boxes = names_on(POINTS)
    centers = axes.transData.transform(list(POINTS.values()))
    assert not any(box.contains(*center) for box in boxes.values() for center in centers)


def test_a_line_is_not_crossed_where_there_is_room():
    point = {"on a line": (1.0, 80.0)}
    _, axes, boxes = names_on({**point, "end": (90.0, 95.0)}, corners=[(1.0, 80.0), (90.0, 80.0), (90.0, 95.0)])
    _, height = axes.transData.transform((1.0, 80.0))
    assert not boxes["on a line"].y0 <= height <= boxes["on a line"].y1


def test_the_drawing_has_the_names():
    figure, _, _ = names_on(POINTS)
    assert all(name in finished(figure, name="names", caption="Names.").svg for name in POINTS)
