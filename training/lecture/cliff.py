"""Claim: gradients explode at cliffs of the loss, and clipping their norm prevents long jumps."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from training.lecture import one_unit
from training.lecture.clipped_training import GUESSING, Course, largest_learned, rescued, train
from training.lecture.formatting import percent, short, spread
from training.lecture.plots import (
    BLUE,
    DASHES,
    GRAY,
    GREEN,
    ORANGE,
    QUIET,
    EndLabel,
    finished,
    label_ends,
    new_plot,
)
from training.lecture.results import Check, Claim, Finding, Plot, Table
from training.lecture.settings import Settings

CLAIM = Claim(
    name="cliff",
    title="Exploding gradients and the cliff",
    statement=(
        "The loss of a recurrent network has cliffs, where one step of gradient descent throws the parameters far away "
        "or ends in infinity. Scaling the gradient down to a threshold norm (clipping) keeps the step short and "
        "training on its way."
    ),
    source=(
        'Lecture "Vanishing Gradients and Fancy RNNs", Algorithm 1; '
        "Pascanu, Mikolov and Bengio 2013, sections 2.3 and 3.2 and figure 6"
    ),
)

STEEP = 100  # a cliff's gradient in multiples of the median
FAR = 10  # an unclipped jump in multiples of the longest clipped one
LOW = 0.01  # loss that counts as arrived
THRESHOLD_IN_MEDIANS = 10  # Pascanu et al. 2013, section 3.2: half to ten times the average norm
LEARNING_RATE = 1.0
THRESHOLDS = (None, 1.0, 0.1)
RATES = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)


@dataclass(frozen=True, slots=True)
class CliffSizes:
    """Sizes of the experiment."""

    points: int = 160
    starts: int = 200
    descent_steps: int = 200
    distance: int = 10
    units: int = 32
    steps: int = 300


QUICK = CliffSizes(points=100, starts=100, steps=120)


@dataclass(frozen=True, slots=True)
class SurfaceResult:
    """Measurements on the surface: the same starts with and without clipping."""

    steepest: float
    median: float
    threshold: float
    longest: float
    longest_clipped: float
    arrived: float
    arrived_clipped: float


def investigate(settings: Settings, sizes: CliffSizes) -> Finding:
    """Compute the one-unit surface, descend it, and train an rnn at many learning rates."""
    surface = one_unit.surface(sizes.points)
    threshold = THRESHOLD_IN_MEDIANS * float(surface.norm.median())
    starts = one_unit.random_starts(sizes.starts, seed=settings.seeds[0])
    paths = {
        limit: one_unit.descend(starts, steps=sizes.descent_steps, learning_rate=LEARNING_RATE, threshold=limit)
        for limit in (None, threshold)
    }
    result = _surface_result(surface, paths[None], paths[threshold], threshold=threshold)
    courses = [
        train(
            learning_rate=rate,
            threshold=limit,
            seed=seed,
            distance=sizes.distance,
            steps=sizes.steps,
            units=sizes.units,
        )
        for limit in THRESHOLDS
        for rate in RATES
        for seed in settings.seeds
    ]
    return Finding(
        claim=CLAIM,
        setting=_setting(settings, sizes, threshold),
        plots=[_draw_surface(surface, paths[None], paths[threshold]), _draw_rates(courses), *_draw_courses(courses)],
        tables=[_surface_table(result, sizes), _rates_table(courses)],
        numbers=_numbers(result, courses),
        checks=judge(result, courses),
        meaning=_meaning(courses),
    )


def judge(result: SurfaceResult, courses: list[Course]) -> list[Check]:
    """Apply the rules, which were fixed before the measurement."""
    without = largest_learned(courses, None)
    best = max((largest_learned(courses, limit) or 0.0 for limit in THRESHOLDS if limit is not None), default=0.0)
    saved = rescued(courses)
    pairs = ", ".join(f"{short(rate)} clipped at {short(limit)}" for rate, limit in saved)
    return [
        Check(
            rule=f"One unit: the steepest place on the grid is at least {STEEP} times as steep as the median place.",
            measured=f"{short(result.steepest)} against {short(result.median)}",
            held=result.steepest >= STEEP * result.median,
        ),
        Check(
            rule=f"One unit: the longest jump without clipping is more than {FAR} times the longest with it.",
            measured=f"{short(result.longest)} against {short(result.longest_clipped)}",
            held=result.longest > FAR * result.longest_clipped,
        ),
        Check(
            rule=f"One unit: more starts reach a loss below {LOW} with clipping than without.",
            measured=f"{percent(result.arrived_clipped)} against {percent(result.arrived)}",
            held=result.arrived_clipped > result.arrived,
        ),
        Check(
            rule="Training: at some learning rate every seed diverges without clipping and learns with it.",
            measured=f"learning rate {pairs}" if saved else "at none that was tried",
            held=bool(saved),
        ),
        Check(
            rule="Training: the largest learning rate at which every seed learns is larger with clipping.",
            measured=f"{short(best)} against {short(without or 0.0)}",
            held=best > (without or 0.0),
        ),
    ]


def _surface_result(
    surface: one_unit.Surface, free: one_unit.Descents, held: one_unit.Descents, *, threshold: float
) -> SurfaceResult:
    def arrived(descents: one_unit.Descents) -> float:
        return float((descents.losses[-1] < LOW).double().mean())  # NaN compares as false

    def longest(descents: one_unit.Descents) -> float:
        return float(descents.longest_steps().nan_to_num(posinf=torch.inf, nan=torch.inf).max())

    return SurfaceResult(
        steepest=float(surface.norm.max()),
        median=float(surface.norm.median()),
        threshold=threshold,
        longest=longest(free),
        longest_clipped=longest(held),
        arrived=arrived(free),
        arrived_clipped=arrived(held),
    )


def _setting(settings: Settings, sizes: CliffSizes, threshold: float) -> dict[str, str]:
    return {
        "One unit": (
            f"h(t) = w sigmoid(h(t-1)) + b, h(0) = 0.5, 50 steps, loss (sigmoid(h(50)) - 0.7)²; {sizes.starts} "
            f"random starts, {sizes.descent_steps} steps of gradient descent at learning rate {LEARNING_RATE:g}, "
            f"with and without clipping at {short(threshold)} ({THRESHOLD_IN_MEDIANS} times the median norm)."
        ),
        "Training": (
            f"One rnn layer of our encoder, {sizes.units} units, recalls a symbol {sizes.distance} steps back; "
            f"plain gradient descent at rates of {RATES[0]:g} to {RATES[-1]:g}, {sizes.steps} steps of 32 texts, "
            f"seeds {', '.join(map(str, settings.seeds))}; clipped by the function that training uses."
        ),
        "Words": (
            "Learned: the last 20 losses average less than half the loss of guessing. Diverged: more than one and "
            "a half times it, or not finite."
        ),
        "Trial": (
            "The rules on training were written after trials at distances of 10 and 20 with two seeds: they show "
            "that some runs diverge without clipping and learn with it, and such runs were looked for."
        ),
    }


def _numbers(result: SurfaceResult, courses: list[Course]) -> dict[str, Any]:
    return {
        "one_unit": {name: getattr(result, name) for name in SurfaceResult.__dataclass_fields__},
        "training": [
            {
                "learning_rate": course.learning_rate,
                "threshold": course.threshold,
                "seed": course.seed,
                "final_loss": course.final if course.final != float("inf") else None,
                "learned": course.learned,
                "diverged": course.diverged,
                "largest_norm": course.largest_norm,
            }
            for course in courses
        ],
    }


def _draw_surface(surface: one_unit.Surface, free: one_unit.Descents, held: one_unit.Descents) -> Plot:
    figure, axes = new_plot("Loss of a one-unit network", x="weight w", y="bias b", height=3.6)
    axes.grid(visible=False)
    picture = axes.pcolormesh(
        surface.weights.numpy(),
        surface.biases.numpy(),
        surface.loss.numpy(),
        cmap="cividis",
        rasterized=True,
        shading="nearest",
    )
    bar = figure.colorbar(picture, ax=axes, pad=0.02)
    bar.set_label("loss", color=QUIET)
    bar.ax.tick_params(colors=QUIET, length=0)
    bar.outline.set_visible(False)
    worst = int(free.longest_steps().nan_to_num(nan=torch.inf).argmax())
    _draw_path(axes, held.positions[:, worst], color="#ffffff", width=1.0, label="with clipping")
    _draw_path(axes, free.positions[:, worst], color="#ff7f2a", width=1.5, label="without clipping")
    axes.set_xlim(*one_unit.WEIGHTS)
    axes.set_ylim(*one_unit.BIASES)
    axes.legend(loc="lower left", fontsize=9, facecolor="#00204d", edgecolor="none", labelcolor="#ffffff")
    caption = (
        "Gradient descent from the start with the longest unclipped step. Both paths lead to the cliff; there, without "
        "clipping, one step leads far out of the picture."
    )
    return finished(figure, name="cliff-surface", caption=caption)


def _draw_path(axes: Any, path: Tensor, *, color: str, width: float, label: str) -> None:  # noqa: ANN401 - matplotlib's Axes
    axes.plot(path[:, 0], path[:, 1], color=color, linewidth=width, marker="o", markersize=1.4 * width, label=label)


def _draw_rates(courses: list[Course]) -> Plot:
    figure, axes = new_plot("Loss after training", x="learning rate", y="loss at the end")
    axes.set_xscale("log")
    axes.set_yscale("log")
    labels = []
    for limit, color, dash in zip(THRESHOLDS, (ORANGE, BLUE, GREEN), DASHES, strict=False):
        finals = torch.tensor(
            [[c.final for c in courses if (c.threshold, c.learning_rate) == (limit, rate)] for rate in RATES]
        ).clamp(1e-4, 1e4)  # infinity is drawn at the upper edge
        mean = finals.log().mean(dim=1).exp().tolist()
        axes.plot(RATES, mean, color=color, linestyle=dash, marker="o", markersize=4)
        low, high = finals.amin(dim=1).tolist(), finals.amax(dim=1).tolist()
        axes.fill_between(RATES, low, high, color=color, alpha=0.15, linewidth=0)
        labels.append(EndLabel(RATES[-1], mean[-1], _named(limit), color))
    axes.axhline(GUESSING, color=GRAY, linewidth=1, linestyle=(0, (4, 3)))
    axes.annotate("guessing", (RATES[0], GUESSING), xytext=(0, 3), textcoords="offset points", color=GRAY, fontsize=9)
    label_ends(axes, labels)
    caption = "An rnn at six learning rates. Line: geometric mean over seeds; band: smallest to largest."
    return finished(figure, name="cliff-rates", caption=caption)


def _draw_courses(courses: list[Course]) -> list[Plot]:
    saved = rescued(courses)
    if not saved:
        return []
    rate, limit = saved[0]
    figure, axes = new_plot(f"The same run at learning rate {short(rate)}", x="step", y="loss")
    axes.set_yscale("symlog", linthresh=0.1)
    labels = []
    for threshold, color in ((None, ORANGE), (limit, BLUE)):
        runs = [c for c in courses if (c.threshold, c.learning_rate) == (threshold, rate)]
        for run in runs:
            axes.plot(run.losses, color=color, linewidth=1, alpha=0.8)
        labels.append(EndLabel(len(runs[0].losses), runs[0].losses[-1], _named(threshold), color))
    axes.set_ylim(bottom=0)
    axes.set_xlim(0, len(runs[0].losses))
    label_ends(axes, labels)
    caption = (
        "One line a seed; the same weights and texts at the start. The lowest learning rate that only clipping makes "
        "usable."
    )
    return [finished(figure, name="cliff-run", caption=caption)]


def _named(limit: float | None) -> str:
    return "not clipped" if limit is None else f"clipped at {limit:g}"


def _surface_table(result: SurfaceResult, sizes: CliffSizes) -> Table:
    return Table(
        caption=f"One unit, {sizes.starts} starts",
        header=["", "longest single step", f"reached a loss below {LOW}"],
        rows=[
            ["not clipped", short(result.longest), percent(result.arrived)],
            [f"clipped at {short(result.threshold)}", short(result.longest_clipped), percent(result.arrived_clipped)],
        ],
    )


def _rates_table(courses: list[Course]) -> Table:
    rows = []
    for rate in RATES:
        runs = [[c for c in courses if (c.threshold, c.learning_rate) == (limit, rate)] for limit in THRESHOLDS]
        rows.append([f"{rate:g}", *(_outcome(of_limit) for of_limit in runs)])
    return Table(
        caption="Training: loss at the end, mean (smallest to largest) over seeds; guessing is 1.39",
        header=["learning rate", *(_named(limit) for limit in THRESHOLDS)],
        rows=rows,
    )


def _outcome(courses: list[Course]) -> str:
    if all(course.learned for course in courses):
        word = "learned"
    elif all(course.diverged for course in courses):
        word = "diverged"
    else:
        word = "neither in all"
    return f"{word}: {spread([course.final for course in courses])}"


def _meaning(courses: list[Course]) -> str:
    reach = {limit: largest_learned(courses, limit) for limit in THRESHOLDS}
    parts = [
        f"{_named(limit)} up to {short(rate)}" if rate else f"{_named(limit)} at none" for limit, rate in reach.items()
    ]
    return (
        f"Learning rates at which every seed learned: {'; '.join(parts)}. A threshold "
        "works together with the learning rate: their product is the longest step plain gradient descent can take, so "
        "a low threshold at a low rate is slow. Start with a norm of 1, which our configs use, and lower it before "
        "you lower the learning rate. Optimizers that scale their steps themselves, such as Adam, were not measured."
    )
