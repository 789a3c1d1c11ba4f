"""What ``python -m benchmarks`` writes: tables and plots of the studies' JSON files, and a page with both.

A table stands in the page between ``<!-- study:NAME -->`` and ``<!-- end -->``, and takes the place of the one before.
"""

import json
import os
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.engine import OURS
from benchmarks.growth import Curve, fitted_values, in_words
from benchmarks.point_names import name_points
from benchmarks.repeats import median_and_range
from benchmarks.server_processes import MLSERVER, PEERS
from training.lecture.plots import (
    BLUE,
    DASHES,
    GRAY,
    GREEN,
    ORANGE,
    PURPLE,
    QUIET,
    SKY,
    EndLabel,
    finished,
    label_ends,
    new_plot,
    standalone,
)
from training.lecture.results import Plot
from training.recipes.default.measured_sets import TWO

Study = Any
"""A study's JSON."""

SHOWN = {
    OURS: BLUE,
    "this model in torch": SKY,
    "MiniLM-sized, ONNX Runtime 8 bits": GREEN,
    "DistilBERT-sized, ONNX Runtime 8 bits": ORANGE,
    "DistilBERT-sized, torch 32 bits": PURPLE,
    "fastText": GRAY,
}
"""The contestants that the plot of the engine shows: the fastest of each kind and the usual one."""


def engine_table(study: Study) -> Iterator[str]:
    """Milliseconds of a text by contestant and size."""
    rows = study["rows"]
    cells = {(row["contestant"], row["texts"], row["tokens"]): row for row in rows}
    columns = sorted({(row["texts"], row["tokens"]) for row in rows})
    yield _row(["", *(f"{tokens} tokens" + (f", {texts} texts" if texts > 1 else "") for texts, tokens in columns)])
    yield "|---" * (len(columns) + 1) + "|"
    for name in sorted({row["contestant"] for row in rows}, key=lambda name: cells[name, *columns[1]]["milliseconds"]):
        yield _row([name, *(_times(cells[name, *column]) for column in columns)])
    yield ""
    peaks, reached = study["peaks"], study["reached"]
    least, best = min(reached.values()), max(reached.values())
    yield "In 10^9 operations a second, a product of two matrices reaches"
    yield f"{peaks['32']:,.0f} in 32 bits on this thread and {peaks['8']:,.0f} in 8 bits;"
    yield f"the model's recurrent layers {least:,.0f} to {best:,.0f}, at most {best / peaks['8']:.0%} of the bound."
    spreads = sorted((row["high"] - row["low"]) / row["milliseconds"] for row in rows)
    yield f"The middle half of a cell's calls spans {median(spreads):.0%} of their median, {spreads[-1]:.0%} at most."


def engine_plots(study: Study) -> Iterator[Plot]:
    """Time of a text by its length."""
    figure, axes = new_plot("Time of one text, one thread", x="tokens", y="milliseconds", height=3.6)
    labels = []
    for index, (name, color) in enumerate(SHOWN.items()):
        rows = [row for row in study["rows"] if row["contestant"] == name and row["texts"] == 1]
        if not rows:
            continue
        xs, ys = [row["tokens"] for row in rows], [row["milliseconds"] for row in rows]
        axes.plot(xs, ys, color=color, linestyle=DASHES[index % len(DASHES)], marker="o", markersize=3)
        labels.append(EndLabel(xs[-1], ys[-1], name, color))
    axes.set_xscale("log")
    axes.set_yscale("log")
    label_ends(axes, labels)
    yield finished(figure, name="engine", caption="Milliseconds of one text by its tokens, both axes logarithmic.")


def growth_table(study: Study) -> Iterator[str]:
    """Each curve with its law."""
    yield "| | points | spread | law | largest error |"
    yield "|---|---|---|---|---|"
    for one in _curves(study):
        points = ", ".join(f"{x:,}: {y:,.3g}" for x, y in zip(one.points, one.values, strict=True))
        spread = "" if one.spread is None else f"{one.spread:.0%}"
        yield _row([f"{one.y} by {one.x}", points, spread, in_words(one), f"{one.largest_error:.0%}"])


def growth_plots(study: Study) -> Iterator[Plot]:
    """Each curve of more than two points beside its law."""
    for one in _curves(study):
        if len(one.points) <= len(("a", "b")):
            continue
        figure, axes = new_plot(f"{one.y} by {one.x}", x=one.x, y=one.y)
        axes.plot(one.points, fitted_values(one), color=GRAY, linestyle=DASHES[1], label=in_words(one))
        axes.plot(one.points, one.values, color=BLUE, marker="o", markersize=4, linestyle="none", label="measured")
        wide = max(one.points) > 100 * min(one.points)
        if wide:
            axes.set_xscale("log")
        if wide and max(one.values) > 10 * min(one.values):
            axes.set_yscale("log")
        else:
            axes.set_ylim(bottom=0)
        axes.legend(frameon=False, labelcolor=QUIET)
        yield finished(figure, name=f"growth-{one.name}", caption=f"{one.y} by {one.x}, and the fitted law.")


def serving_table(study: Study) -> Iterator[str]:
    """Rates and latencies of the servers."""
    yield "| server | connections | requests/s | p50 ms | p99 ms | rate / empty BentoML | p50 / empty BentoML |"
    yield "|---|---|---|---|---|---|---|"
    for row in study["figures"]:
        ratios = [f"{row[name]:.2f}" if row[name] else "" for name in ("rate_over_bentoml", "p50_over_bentoml")]
        figures = [f"{row['requests_per_second']:,.0f}", f"{row['p50_ms']:.2f}", f"{row['p99_ms']:.2f}"]
        connections = "in process" if row["contestant"].startswith("engine") else str(row["connections"])
        yield _row([row["contestant"], connections, *figures, *ratios])
    yield from _against_service(study["figures"])
    yield from ("", "Seconds from the start to the first answer, median and range, and memory after the load:", "")
    yield "| server | s to the first answer | MiB |"
    yield "|---|---|---|"
    for cost in study["costs"]:
        yield _row([cost["server"], median_and_range(cost["start_seconds"]), f"{cost['mebibytes']:,.0f}"])


def _against_service(figures: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """How many answers the service gives for one of each other server with a model: median and range of the rounds."""
    rates = {(row["contestant"], row["connections"]): row["rounds"]["requests_per_second"] for row in figures}
    others = [name for name, connections in rates if name in {*PEERS, MLSERVER} and connections == 1]
    if not others:
        return
    yield from ("", "Answers of the service for one of the other server, median and range of the rounds:", "")
    yield _row(["connections", *others])
    yield "|---" * (len(others) + 1) + "|"
    for connections in sorted({connections for name, connections in rates if name == others[0]}):
        cells = []
        for name in others:
            pairs = zip(rates["service", connections], rates[name, connections], strict=True)
            ratios = [ours / theirs for ours, theirs in pairs]
            cells.append(median_and_range(ratios))
        yield _row([str(connections), *cells])


def no_plots(_study: Study) -> Iterator[Plot]:
    """None."""
    yield from ()


def accuracy_table(study: Study) -> Iterator[str]:
    """Accuracy on each set of two labels, and the time of a text."""
    systems = _systems(study)
    polar = (row["data"] for row in study["measured"] if tuple(row["labels"]) == TWO)
    sets = [name for name in dict.fromkeys(polar) if ":" not in name]  # no domains of a set
    yield _row(["", "s to learn", "MB", "ms a text", *sets])
    yield "|---" * (len(sets) + 4) + "|"
    for name, rows in systems.items():
        accuracies = [
            f"{100 * rows[data]['figures']['accuracy']['value']:.1f}" if data in rows else "-" for data in sets
        ]
        learning = rows[SCATTERED]["learning_seconds"]
        costs = [
            "" if learning is None else f"{learning:,.0f}",
            f"{_megabytes(rows):.1f}",
            f"{_milliseconds(rows):.2f}",
        ]
        yield _row([name, *costs, *accuracies])


def accuracy_plots(study: Study) -> Iterator[Plot]:
    """Accuracy on SST-2 against the time of a text and against size, with the Pareto fronts."""
    systems = {name: rows for name, rows in _systems(study).items() if SCATTERED in rows}
    yield _scattered(systems, "time", _milliseconds, unit="ms of processor a text")
    yield _scattered(systems, "size", _megabytes, unit="MB of what it knows")


def _scattered(
    systems: Mapping[str, Mapping[str, Any]], cost: str, measure: Callable[[Mapping[str, Any]], float], *, unit: str
) -> Plot:
    """Accuracy by a cost, its axis logarithmic."""
    points = {
        name: (measure(rows), 100 * rows[SCATTERED]["figures"]["accuracy"]["value"]) for name, rows in systems.items()
    }
    figure, axes = new_plot(f"Accuracy on {SCATTERED} and {cost}", x=unit, y="accuracy, %", height=4.6)
    front = [name for name, point in points.items() if not any(_is_better(other, point) for other in points.values())]
    line = sorted(points[name] for name in front)
    corners = [line[0], *(corner for (_, low), (x, y) in pairwise(line) for corner in ((x, low), (x, y)))]
    axes.plot(*zip(*corners, strict=True), color=GRAY, linestyle=DASHES[1], linewidth=1)
    colors = {name: BLUE if name in front else ORANGE for name in points}
    for name, (x, y) in points.items():
        axes.plot(x, y, marker="o", markersize=5, color=colors[name])
    axes.set_xscale("log")
    axes.margins(x=0.25, y=0.1)
    name_points(axes, points, colors, corners=corners)
    caption = f"Accuracy by {cost}; the dashed line joins what nothing beats in both."
    return finished(figure, name=f"accuracy-{cost}", caption=caption)


def learning_table(study: Study) -> Iterator[str]:
    """What each learner took, and what it learned."""
    yield "| learner | texts | processor seconds | MiB | SST-2 test, % |"
    yield "|---|---|---|---|---|"
    for cost in study:
        figures = (f"{cost['rows']:,}", f"{cost['seconds']:,.1f}", f"{cost['mebibytes']:,.0f}")
        yield _row([cost["learner"], *figures, f"{100 * cost['accuracy']:.1f}"])


def learning_plots(study: Study) -> Iterator[Plot]:
    """Accuracy by the time that learning took."""
    figure, axes = new_plot("Accuracy on SST-2 and time to learn", x="processor seconds", y="accuracy, %", height=3.6)
    labels = []
    for index, name in enumerate(dict.fromkeys(cost["learner"] for cost in study)):
        costs = sorted((cost for cost in study if cost["learner"] == name), key=lambda cost: float(cost["seconds"]))
        xs, ys = [cost["seconds"] for cost in costs], [100 * cost["accuracy"] for cost in costs]
        color = (BLUE, SKY, GREEN, ORANGE, PURPLE)[index % 5]
        axes.plot(xs, ys, color=color, linestyle=DASHES[index % len(DASHES)], marker="o", markersize=3)
        labels.append(EndLabel(xs[-1], ys[-1], name, color))
    axes.set_xscale("log")
    label_ends(axes, labels)
    yield finished(figure, name="learning", caption="Accuracy on SST-2 by the processor seconds of learning.")


LINE_WIDTH = 120
"""Of prose in a page."""

SCATTERED = "SST-2 test"

WRITERS: Mapping[str, tuple[Callable[[Study], Iterator[str]], Callable[[Study], Iterator[Plot]]]] = {
    "accuracy": (accuracy_table, accuracy_plots),
    "engine": (engine_table, engine_plots),
    "serving": (serving_table, no_plots),
    "growth": (growth_table, growth_plots),
    "learning": (learning_table, learning_plots),
}
"""Study to what writes its table and its plots."""


def sentence_beside(figures: Path) -> Path:
    """The file that says when, where and with what the figures were measured."""
    return figures.with_suffix(".txt")


def write(name: str, figures: Path, *, page: Path, images: Path) -> None:
    """Put a study's table into a page, after the sentence beside its figures, and its plots into a folder."""
    study = json.loads(figures.read_text(encoding="utf-8"))
    table, plots = WRITERS[name]
    images.mkdir(parents=True, exist_ok=True)
    sentence = sentence_beside(figures).read_text(encoding="utf-8")
    lines = [*textwrap.wrap(sentence, LINE_WIDTH, break_on_hyphens=False), "", *table(study)]
    for plot in plots(study):
        path = images / f"{plot.name}.svg"
        path.write_text(standalone(plot), encoding="utf-8")
        lines += ["", f"![{plot.caption}]({os.path.relpath(path, page.parent)})"]
    content = page.read_text(encoding="utf-8")
    page.write_text(with_table(content, name, lines), encoding="utf-8")


def with_table(page: str, name: str, lines: Sequence[str]) -> str:
    """The page with these lines in their place.

    Raises:
        ValueError: the page has no such place.
    """
    place = re.compile(rf"(<!-- study:{re.escape(name)} -->\n).*?(<!-- end -->)", flags=re.DOTALL)
    if not place.search(page):
        message = f"the page has no place <!-- study:{name} -->"
        raise ValueError(message)
    return place.sub(lambda match: f"{match[1]}\n{chr(10).join(lines)}\n\n{match[2]}", page)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _times(row: Mapping[str, float]) -> str:
    times = float(f"{row['times_ours']:.2g}")  # two digits, without an exponent
    return f"{row['milliseconds']:.3g} ({times:,g}x)"


def _curves(study: Study) -> list[Curve]:
    return [Curve(**{**one, "fitted": tuple(one["fitted"])}) for one in study]


def _systems(study: Study) -> dict[str, dict[str, Any]]:
    """System, with what it learned from if that differs, to its rows by data set."""
    systems: dict[str, dict[str, Any]] = {}
    lessons: dict[str, set[str]] = {}
    for row in study["measured"]:
        lessons.setdefault(row["system"], set()).add(row["training_data"])
    for row in study["measured"]:
        system = row["system"]
        name = f"{system} ({row['training_data']})" if len(lessons[system]) > 1 else system
        systems.setdefault(name, {})[row["data"]] = row
    return systems


def _milliseconds(rows: Mapping[str, Any]) -> float:
    return float(rows[SCATTERED]["milliseconds"])


def _megabytes(rows: Mapping[str, Any]) -> float:
    return float(rows[SCATTERED]["size"]) / 1e6


def _is_better(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Whether one is faster and more accurate, or equal in one of both."""
    return one != other and one[0] <= other[0] and one[1] >= other[1]
