"""The model card: a bundle's README.md, made from its manifest and its evaluation with ``card.md.jinja``."""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from model_store.evaluation import Behavior, Comparison, Evaluation, LengthGroup, Measurement
from model_store.manifest import Machine, Manifest

NON_COMMERCIAL = re.compile(r"non-?commercial|\bNC\b", re.IGNORECASE)
"""Names of licenses that forbid commercial use, Creative Commons' among them: "CC BY-NC-SA 4.0"."""

METRICS = {
    "accuracy": "accuracy",
    "polar_accuracy": "polar accuracy",
    "macro_f1": "macro F1",
    "micro_f1": "micro F1",
    "subset_accuracy": "subset accuracy",
    "calibration_error": "calibration error",
}
"""Names of metrics in the order of the table's columns; others follow under their own."""

THIS_MODEL = "this model"


def model_card(manifest: Manifest, evaluation: Evaluation) -> str:
    """The whole card as Markdown."""
    return _render(manifest, evaluation, size=None)


def summary(manifest: Manifest, evaluation: Evaluation, *, size: int) -> str:
    """The card's most important lines as Markdown, for a terminal.

    Args:
        manifest: the bundle's identity.
        evaluation: its figures.
        size: bytes of all its files.
    """
    return _render(manifest, evaluation, size=size)


def _render(manifest: Manifest, evaluation: Evaluation, *, size: int | None) -> str:
    runs = list(manifest.training.runs())
    sources = list(dict.fromkeys(source for run in runs for source in run.sources))
    columns = _columns(evaluation.metrics)
    return _template().render(
        brief=size is not None,
        size=size,
        manifest=manifest,
        shape=manifest.architecture,
        calibration=manifest.calibration,
        evaluation=evaluation,
        runs=runs,
        data_names=list(dict.fromkeys(file.name for run in runs for file in run.files)),
        sources=sources,
        all_sources_given=all(run.sources for run in runs),
        non_commercial=[source for source in sources if NON_COMMERCIAL.search(source)],
        columns=columns,
        measured=list(_measured(evaluation.metrics, columns)),
        commands=list(_commands(evaluation.metrics)),
        coverages=list(dict.fromkeys(point.coverage for file in evaluation.risk_coverage for point in file.points)),
        methods=_methods(manifest, evaluation.comparison),
        compared=list(_compared(manifest, evaluation)),
        kinds=list(dict.fromkeys(family.kind for family in evaluation.behavior)),
    )


@cache
def _template() -> Template:
    environment = Environment(  # noqa: S701 - Markdown, read as text
        loader=PackageLoader("model_store", "."),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "cell": _cell,
        "duration": duration,
        "figure": _figure,
        "machine": _machine,
        "metric_name": _metric_name,
        "percent": _percent,
        "sum_of": _sum_of,
        "thousands": "{:,}".format,
    }
    return environment.get_template("card.md.jinja")


def _columns(metrics: Iterable[Measurement]) -> list[str]:
    names = list(dict.fromkeys(metric.metric for metric in metrics))
    return [name for name in METRICS if name in names] + [name for name in names if name not in METRICS]


def _measured(metrics: Sequence[Measurement], columns: Sequence[str]) -> Iterator[tuple[str, int, list[str]]]:
    """Each file's name, number of texts, and figure in each column."""
    for data in dict.fromkeys(metric.data for metric in metrics):
        by_name = {metric.metric: metric for metric in metrics if metric.data == data}
        texts = max(metric.rows for metric in by_name.values())
        yield data, texts, [_figure(by_name.get(column), texts=texts) for column in columns]


def _commands(metrics: Sequence[Measurement]) -> Iterator[tuple[str, str]]:
    """Each command that measured something, after the names of what it measured."""
    for command in dict.fromkeys(metric.command for metric in metrics if metric.command):
        yield ", ".join(dict.fromkeys(metric.data for metric in metrics if metric.command == command)), command


def _methods(manifest: Manifest, comparison: Sequence[Comparison]) -> list[str]:
    """This model, then every other method, each once."""
    return list(dict.fromkeys([THIS_MODEL, *(_method(manifest, figure) for figure in comparison)]))


def _method(manifest: Manifest, figure: Comparison) -> str:
    if figure.method == f"{manifest.name} {manifest.version}":
        return THIS_MODEL
    return f"{figure.method} ({figure.training_data})" if figure.training_data else figure.method


def _compared(manifest: Manifest, evaluation: Evaluation) -> Iterator[tuple[str, int, str, list[str]]]:
    """Data, texts, metric, and each method's figure; this model's own where the report has none."""
    own = {(metric.data, metric.metric, metric.rows): metric for metric in evaluation.metrics}
    rows: dict[tuple[str, str, int], dict[str, Comparison | Measurement]] = {}
    for figure in evaluation.comparison:
        key = (figure.data, figure.metric, figure.rows)
        row = rows.setdefault(key, {THIS_MODEL: own[key]} if key in own else {})
        row[_method(manifest, figure)] = figure
    for (data, metric, texts), row in rows.items():
        yield data, texts, metric, [_figure(row.get(method)) for method in _methods(manifest, evaluation.comparison)]


def _figure(figure: Measurement | Comparison | LengthGroup | None, *, texts: int | None = None) -> str:
    """A figure with its interval, and its number of texts if that is not the row's; a dash if there is none."""
    if figure is None:
        return "-"
    value = _percent(figure.value)
    if figure.low is not None and figure.high is not None:
        value += f" ({100 * figure.low:.2f} to {100 * figure.high:.2f})"
    return value if texts in {None, figure.rows} else f"{value}, {figure.rows:,} texts"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f}%"


def _metric_name(metric: str) -> str:
    return METRICS.get(metric, metric.replace("_", " "))


def _sum_of(families: Sequence[Behavior]) -> str:
    """Cases, failures and rate of several families, as three cells."""
    cases, failures = sum(family.cases for family in families), sum(family.failures for family in families)
    return f"{cases:,} | {failures:,} | {failures / cases:.1%}"


def _cell(text: str) -> str:
    """Text that cannot break a Markdown table."""
    return " ".join(text.replace("|", "\\|").split())


def duration(seconds: float) -> str:
    """Hours, minutes and seconds, without leading zeros."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{hours:,} h"] * (hours > 0) + [f"{minutes} min"] * (hours > 0 or minutes > 0) + [f"{rest} s"]
    return " ".join(parts)


def _machine(machine: Machine) -> str:
    cores = "one core" if machine.cores == 1 else f"{machine.cores} cores"
    if machine.accelerator is None:
        return f"{cores} of {machine.processor}"
    devices = machine.accelerator if machine.devices == 1 else f"{machine.devices} x {machine.accelerator}"
    return f"{devices}, with {cores} of {machine.processor}"
