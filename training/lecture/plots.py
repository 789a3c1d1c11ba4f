"""The style of plots: drawn in marker colors that become CSS variables, so that they follow light and dark pages."""

import io
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from training.lecture.results import Plot

INK, QUIET, LINE = "#111111", "#222222", "#333333"
BLUE, ORANGE, GREEN, PURPLE, SKY, GRAY = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#777777"
"""Okabe and Ito's colors, which stay apart for the common kinds of color blindness."""

DASHES = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (5, 2, 1, 2)))
"""Lines differ in more than color, for prints and for eyes that see none."""

_PAPER = "#fdfdfd"  # background of a plot in a file of its own

_VARIABLES = {
    _PAPER: ("--plot-paper", "#fcfbf8", "#16171a"),
    INK: ("--plot-ink", "#1d1b18", "#eceae5"),
    QUIET: ("--plot-quiet", "#68635b", "#a29d94"),
    LINE: ("--plot-line", "#dfdad0", "#3a3d43"),
    BLUE: ("--plot-blue", "#0072b2", "#63b3ee"),
    ORANGE: ("--plot-orange", "#c65500", "#f28e3f"),
    GREEN: ("--plot-green", "#00805d", "#3fc49b"),
    PURPLE: ("--plot-purple", "#b0568a", "#dd94bd"),
    SKY: ("--plot-sky", "#2f93cc", "#9bd3f5"),
    GRAY: ("--plot-grey", "#77716a", "#a39e96"),
}
"""Marker color to CSS variable, its value on a light page and on a dark one."""

_LABEL_GAP = 12.0  # points between two labels at the ends of lines: their font size and a little air

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: it can be searched, and takes the page's font
    "font.size": 10,
    "font.family": "sans-serif",
    "text.color": INK,
    "axes.labelcolor": QUIET,
    "axes.edgecolor": LINE,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "lines.linewidth": 1.8,
}


class EndLabel(NamedTuple):
    """A line's name, drawn next to its last point."""

    x: float
    y: float
    text: str
    color: str


def new_plot(title: str, *, x: str, y: str, height: float = 3.1) -> tuple[Figure, Axes]:
    """An empty plot with labeled axes, as wide as a phone shows it without shrinking the text much."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(4.7, height), layout="constrained")
        axes = figure.add_subplot()
    axes.set_title(title, loc="left", fontsize=11, fontweight="bold")
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    return figure, axes


def few_decades(axes: Axes) -> None:
    """Plain figures at 1, 2 and 5 on a logarithmic y axis that spans too little for powers of ten alone."""
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())


def label_ends(axes: Axes, labels: Sequence[EndLabel]) -> None:
    """Write each line's name at its right end, moved apart where ends lie close; call once all is drawn."""
    figure = axes.get_figure(root=True)
    if figure is None or not labels:
        return
    figure.draw_without_rendering()  # limits and scales are final only now
    points = figure.dpi / 72
    low, high = (edge / points for edge in (axes.bbox.y0, axes.bbox.y1))
    heights = [float(axes.transData.transform((label.x, label.y))[1]) / points for label in labels]
    inside = [min(max(height, low), high) for height in heights]
    order = sorted(range(len(labels)), key=lambda index: inside[index])
    for index, moved in zip(order, _moved_apart([inside[index] for index in order], highest=high), strict=True):
        label = labels[index]
        axes.annotate(
            label.text,
            xy=(1.0, (moved - low) / (high - low)),
            xycoords="axes fraction",
            xytext=(5, 0),
            textcoords="offset points",
            color=label.color,
            va="center",
            fontsize=9.5,
            annotation_clip=False,
        )


def finished(figure: Figure, *, name: str, caption: str) -> Plot:
    """The drawing as SVG without scripts, outside references, dates or random ids: the same numbers, the same file."""
    with mpl.rc_context({**_STYLE, "svg.hashsalt": name}):
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return Plot(name=name, svg=_cleaned(buffer.getvalue(), label=caption), caption=caption)


def standalone(plot: Plot) -> str:
    """The SVG with its colors, for use as a file of its own; inside a page the page's style has them."""
    # A page may be light although the system is dark, so the drawing has its own background.
    ground = '<rect width="100%" height="100%" fill="var(--plot-paper)"/>'
    return plot.svg.replace("<defs>", f"<style>{color_style('svg')}</style>{ground}<defs>", 1)


def color_style(selector: str) -> str:
    """The CSS that gives every plot color its value, on light and on dark pages."""
    light = "".join(f"{name}:{value};" for name, value, _ in _VARIABLES.values())
    dark = "".join(f"{name}:{value};" for name, _, value in _VARIABLES.values())
    return f"{selector}{{{light}}}@media (prefers-color-scheme: dark){{{selector}{{{dark}}}}}"


def _moved_apart(heights: list[float], *, highest: float) -> list[float]:
    """Ascending heights with at least the gap between neighbors, none above ``highest``."""
    for position in range(1, len(heights)):
        heights[position] = max(heights[position], heights[position - 1] + _LABEL_GAP)
    ceiling = highest
    for position in reversed(range(len(heights))):
        heights[position] = min(heights[position], ceiling)
        ceiling = heights[position] - _LABEL_GAP
    return heights


def _cleaned(svg: str, *, label: str) -> str:
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"\s*<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)  # several plots share a page; these ids are not referred to
    svg = re.sub(r'width="([\d.]+)pt" height="([\d.]+)pt"', "", svg, count=1)
    quoted = label.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    svg = svg.replace("<svg ", f'<svg role="img" aria-label="{quoted}" ', 1)
    for color, (variable, _, _) in _VARIABLES.items():
        svg = svg.replace(color, f"var({variable})")
    return svg
