"""The card's sections on how good a bundle is: figures, abstaining, other methods, behaviour, known failures."""

from collections.abc import Callable, Iterator, Sequence

from model_store.card_tables import in_order, in_words, percent, table
from model_store.evaluation import Behavior, Comparison, CoveragePoint, Measurement
from model_store.manifest import Manifest

NO_FIGURE = "-"
THIS_MODEL = "this model"


def _measured(manifest: Manifest) -> Iterator[str]:
    yield ""
    yield "## Measured"
    yield ""
    if not manifest.metrics:
        yield "Nothing was measured."
        return
    yield "One training run. Each figure was measured on this bundle's own answers."
    yield ""
    columns = in_order(metric.metric for metric in manifest.metrics)
    rows = []
    for data in dict.fromkeys(metric.data for metric in manifest.metrics):
        found = {metric.metric: metric for metric in manifest.metrics if metric.data == data}
        texts = max(metric.rows for metric in found.values())
        rows.append((data, f"{texts:,}", *(_figure(found.get(name), texts=texts) for name in columns)))
    yield from table(("data", "texts", *map(in_words, columns)), rows)
    yield ""
    if any(metric.low is not None for metric in manifest.metrics):
        yield "In brackets: 95% intervals, percentile bootstrap over the texts."
    yield (
        "Polar accuracy leaves out texts whose label is neutral and compares the positive labels' scores with the "
        "negative ones'. Where a file has no neutral texts, accuracy and macro F1 count each neutral answer as wrong. "
        "Calibration error is the expected one over 15 bins."
    )
    yield from _commands(manifest.metrics)


def _figure(metric: Measurement | None, *, texts: int) -> str:
    if metric is None:
        return NO_FIGURE
    shown = percent(metric.value, metric.low, metric.high)
    return shown if metric.rows == texts else f"{shown}, {metric.rows:,} texts"


def _commands(metrics: Sequence[Measurement]) -> Iterator[str]:
    """Each command that measured something, with what it measured."""
    for command in dict.fromkeys(metric.command for metric in metrics if metric.command):
        names = ", ".join(dict.fromkeys(metric.data for metric in metrics if metric.command == command))
        yield ""
        yield f"{names} with:"
        yield ""
        yield f"    {command}"


def _risk_coverage(manifest: Manifest) -> Iterator[str]:
    """Accuracy at each coverage, a row for each data; and what the bundle's own threshold gives."""
    if not manifest.risk_coverage:
        return
    yield ""
    yield "## Leaving out what it is not sure of"
    yield ""
    yield "Accuracy of the answers with the highest scores, when so large a share of all answers is kept."
    yield ""
    shares = list(dict.fromkeys(point.coverage for each in manifest.risk_coverage for point in each.points))
    found = [{point.coverage: point for point in each.points} for each in manifest.risk_coverage]
    rows = [
        (each.data, f"{each.rows:,}", *(_accuracy(points.get(share)) for share in shares))
        for each, points in zip(manifest.risk_coverage, found, strict=True)
    ]
    yield from table(("data", "texts", *(f"{share:.0%} kept" for share in shares)), rows)
    yield ""
    yield "The lowest score among the answers kept; and of the confident answers, how many there are and are right:"
    yield ""
    rows = [
        (each.data, *(_threshold(points.get(share)) for share in shares), *_confident(each.confident))
        for each, points in zip(manifest.risk_coverage, found, strict=True)
    ]
    yield from table(("data", *(f"{share:.0%} kept" for share in shares), "confident", "of those right"), rows)


def _confident(kept: CoveragePoint | None) -> tuple[str, str]:
    return (NO_FIGURE, NO_FIGURE) if kept is None else (percent(kept.coverage), _accuracy(kept))


def _threshold(kept: CoveragePoint | None) -> str:
    return NO_FIGURE if kept is None else f"{kept.threshold:.4f}"


def _accuracy(kept: CoveragePoint | None) -> str:
    return NO_FIGURE if kept is None or kept.accuracy is None else percent(kept.accuracy)


def _comparison(manifest: Manifest) -> Iterator[str]:
    """One row for each figure, this bundle's first where it was measured on the same data."""
    if not manifest.comparison:
        return
    yield ""
    yield "## Beside other methods"
    yield ""
    yield "Measured by one command on the same texts."
    yield ""
    names = dict.fromkeys(_method(manifest, other) for other in manifest.comparison)
    methods = [name for name in names if name != THIS_MODEL]
    cells: dict[tuple[str, str, int], dict[str, Comparison]] = {}
    for other in manifest.comparison:
        cells.setdefault((other.data, other.metric, other.rows), {})[_method(manifest, other)] = other
    ours = {(one.data, one.metric, one.rows): one for one in manifest.metrics}
    rows = []
    for (data, metric, texts), by_method in cells.items():
        own = by_method.get(THIS_MODEL, ours.get((data, metric, texts)))
        figures = [own, *(by_method.get(method) for method in methods)]
        shown = [NO_FIGURE if one is None else percent(one.value, one.low, one.high) for one in figures]
        rows.append((data, f"{texts:,}", in_words(metric), *shown))
    yield from table(("data", "texts", "metric", THIS_MODEL, *methods), rows)


def _method(manifest: Manifest, other: Comparison) -> str:
    """What its column is called."""
    if other.method == f"{manifest.name} {manifest.version}":
        return THIS_MODEL
    return f"{other.method} ({other.learnt_from})" if other.learnt_from else other.method


def _behaviour(manifest: Manifest) -> Iterator[str]:
    if not manifest.behaviour:
        return
    yield ""
    yield "## Behaviour"
    yield ""
    yield (
        "Texts from templates, in the manner of CheckList (Ribeiro et al. 2020). MFT: minimum functionality, the "
        "answer is known. INV: a change that must not matter. DIR: a change that may move the answer one way only."
    )
    yield ""
    kinds = dict.fromkeys(one.kind for one in manifest.behaviour)
    by_kind = {kind: [one for one in manifest.behaviour if one.kind == kind] for kind in kinds}
    rows = [
        *((one.capability, one.family, one.kind, *_failures([one])) for one in manifest.behaviour),
        *(("all", "", kind, *_failures(families)) for kind, families in by_kind.items()),
        ("all", "", "all", *_failures(manifest.behaviour)),
    ]
    yield from table(("capability", "family", "kind", "cases", "failures", "rate"), rows)


def _failures(families: Sequence[Behavior]) -> tuple[str, str, str]:
    cases, failures = sum(one.cases for one in families), sum(one.failures for one in families)
    return f"{cases:,}", f"{failures:,}", f"{failures / cases:.1%}"


def _known_failures(manifest: Manifest) -> Iterator[str]:
    if not manifest.known_failures:
        return
    yield ""
    yield "## Known failures"
    yield ""
    rows = [(one.text, one.expected, one.label, f"{one.score:.1%}") for one in manifest.known_failures]
    yield from table(("text", "expected", "answer", "score"), rows)


SECTIONS: tuple[Callable[[Manifest], Iterator[str]], ...] = (
    _measured,
    _risk_coverage,
    _comparison,
    _behaviour,
    _known_failures,
)
