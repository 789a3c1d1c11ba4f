"""The report of an adaptation: one page that opens offline, and its numbers as JSON."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jinja2 import Environment, StrictUndefined
from matplotlib.figure import Figure

from model_store.atomic_write import atomic_write, write_json
from training.adaptation.label_errors import Suspicion
from training.data.examples import Example
from training.evaluation import label_sets
from training.evaluation.label_sets import LabelSets, Thresholds, Truth
from training.evaluation.metrics import Estimate, LabelMetrics, Outcomes, Scores

TEMPLATE = Path(__file__).with_name("report.html.jinja")
PAGE, NUMBERS = "report.html", "report.json"

MISTAKES = 20


class Answers(NamedTuple):
    """A classifier's (texts, labels) scores, and its thresholds if it gives any number of labels."""

    scores: Scores
    thresholds: Thresholds | None


@dataclass(frozen=True, slots=True)
class Mistake:
    """A text that the adapted model labels wrongly."""

    text: str
    line: int
    expected: str
    predicted: str
    score: float


@dataclass(frozen=True, slots=True)
class System:
    """A classifier on the measured texts.

    Attributes:
        figures: by metric; None if it cannot choose among these labels.
        note: what the reader has to know.
    """

    name: str
    figures: dict[str, Estimate] | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class AdaptationReport:
    """Everything that the page shows.

    Attributes:
        rows: texts by part.
        counts: training texts by label.
        measured_on: "test" or "validation".
        metrics: titles of the systems' figures by name, the most important first.
        confusion: (labels, labels) counts, a row for the true label; empty for any number of labels a text.
        notes: sentences about what was left out or not done.
    """

    source: str
    bundle: str
    rows: Mapping[str, int]
    labels: Sequence[str]
    counts: Mapping[str, int]
    measured_on: str
    metrics: Mapping[str, str]
    systems: Sequence[System]
    by_label: Sequence[LabelMetrics]
    confusion: Sequence[Sequence[int]]
    mistakes: Sequence[Mistake]
    suspicions: Sequence[Suspicion]
    notes: Sequence[str]
    commands: Mapping[str, str]
    seconds: float | None


def outcomes_of(scores: Scores, thresholds: Thresholds | None, *, true: Truth) -> Outcomes | LabelSets:
    """The outcomes, with equal scores for a text without a token."""
    filled = np.where(np.isnan(scores), 1 / scores.shape[1], scores)
    return label_sets.outcomes_of(filled, true, thresholds=thresholds)


def confident_mistakes(
    outcomes: Outcomes | LabelSets, examples: Sequence[Example], *, labels: Sequence[str]
) -> list[Mistake]:
    """The wrongly labeled texts with the surest answers."""
    expected, predicted = outcomes.named(labels)
    sureness = outcomes.wrongness
    wrong = sorted(np.flatnonzero(~outcomes.correct).tolist(), key=lambda row: -sureness[row])
    return [
        Mistake(examples[row].text, examples[row].line, expected[row], predicted[row], float(sureness[row]))
        for row in wrong[:MISTAKES]
    ]


def write(report: AdaptationReport, folder: Path, *, curves: Path) -> Path:
    """Write ``report.html`` and ``report.json``; return the page.

    Args:
        report: the content.
        folder: where to.
        curves: the run's curves; omitted if there are none.
    """
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["percent"] = lambda value: "-" if value is None else f"{100 * value:.1f}%"
    environment.filters["count"] = lambda value: f"{value:,}"
    pictures = {
        "confusion": _embedded(draw_confusion(report.confusion, report.labels)) if report.confusion else "",
        "curves": _embedded(curves.read_bytes()) if curves.is_file() else "",
    }
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    atomic_write(folder / PAGE, template.render(report=report, pictures=pictures).encode())
    write_json(folder / NUMBERS, as_json(report))
    return folder / PAGE


def as_json(report: AdaptationReport) -> dict[str, Any]:
    """The report in plain types, for other programs."""
    return asdict(report)


def draw_confusion(confusion: Sequence[Sequence[int]], labels: Sequence[str]) -> bytes:
    """A PNG of the confusion matrix, each row shaded by its own shares."""
    counts = np.array(confusion)
    shares = counts / counts.sum(axis=1, keepdims=True).clip(min=1)
    size = min(12.0, 2.5 + 0.8 * len(labels))
    figure = Figure(figsize=(size + 1, size), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(labels)), labels, rotation=40, ha="right")
    axes.set_yticks(range(len(labels)), labels)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    for (row, column), count in np.ndenumerate(counts):
        color = "white" if shares[row, column] > 0.5 else "#2b2f36"  # noqa: PLR2004 - where blue is dark
        axes.text(column, row, f"{count:,}", ha="center", va="center", color=color)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=130, facecolor="white")
    return buffer.getvalue()


def _embedded(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
