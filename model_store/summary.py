"""The most important of a bundle's card as tables for a terminal."""

from collections.abc import Iterator

from rich.table import Table
from rich.text import Text

from model_store.card import ARITHMETIC, duration, passes
from model_store.card_tables import in_words, percent
from model_store.evaluation import RiskCoverage
from model_store.manifest import Calibration, Manifest, Training


def tables(manifest: Manifest, *, size: int) -> Iterator[Table]:
    """What it is, how good it is, and what it is not sure of.

    Args:
        manifest: of the bundle.
        size: bytes of all its files.
    """
    yield _facts(manifest, size=size)
    if manifest.metrics:
        yield _figures(manifest)
    if manifest.risk_coverage:
        yield _confident(manifest.risk_coverage)
    if manifest.behaviour:
        yield _behaviour(manifest)


def _facts(manifest: Manifest, *, size: int) -> Table:
    shape, runs = manifest.architecture, list(manifest.training.runs())
    table = Table(title=Text(f"{manifest.name} {manifest.version}", style="bold"), show_header=False)
    direction = "bidirectional" if shape.bidirectional else "forward"
    facts = {
        "what it is": manifest.description,
        "encoder": f"{shape.layers} x {shape.hidden_size}, {direction} {shape.cell}, {shape.parameters:,} parameters",
        "arithmetic": ARITHMETIC[manifest.arithmetic],
        "size": f"{size / 1e6:.1f} MB",
        "labels": ", ".join(manifest.label_names),
        "calibration": _calibration(manifest.calibration),
        "training": ", after ".join(map(_run, runs)),
        "data": ", ".join(dict.fromkeys(file.name for run in runs for file in run.files)) or "not known",
    }
    for name, fact in facts.items():
        table.add_row(name, Text(fact))
    return table


def _run(training: Training) -> str:
    took = "" if training.seconds is None else f", {duration(training.seconds)}"
    return f"{passes(training)}, seed {training.seed}{took}"


def _calibration(calibration: Calibration) -> str:
    if calibration.data is None:
        return "none"
    fitted = f"temperature {calibration.temperature:.3f}, fitted on {calibration.rows:,} texts of {calibration.data}"
    if calibration.target_accuracy is None:
        return fitted
    goal = f"{100 * calibration.target_accuracy:g}% accuracy"
    if calibration.threshold is None:
        return f"{fitted}; no answer is confident, as nothing reached {goal}"
    return f"{fitted}; confident from a score of {calibration.threshold:.4f} on, for {goal}"


def _figures(manifest: Manifest) -> Table:
    table = Table("data", "texts", "metric", "value", "95% interval", title="Measured")
    for one in manifest.metrics:
        interval = "-" if one.low is None or one.high is None else f"{100 * one.low:.2f} to {100 * one.high:.2f}"
        table.add_row(Text(one.data), f"{one.rows:,}", in_words(one.metric), percent(one.value), interval)
    return table


def _confident(measured: list[RiskCoverage]) -> Table:
    table = Table("data", "texts", "right", "confident", "of those right", title="What it is sure of")
    for one in measured:
        right = next((point.accuracy for point in one.points if point.coverage == 1), None)
        kept = one.confident
        shares = [right, None if kept is None else kept.coverage, None if kept is None else kept.accuracy]
        table.add_row(Text(one.data), f"{one.rows:,}", *("-" if share is None else percent(share) for share in shares))
    return table


def _behaviour(manifest: Manifest) -> Table:
    table = Table("kind", "families", "cases", "failures", "rate", title="Behaviour")
    for kind in dict.fromkeys(one.kind for one in manifest.behaviour):
        families = [one for one in manifest.behaviour if one.kind == kind]
        cases, failures = sum(one.cases for one in families), sum(one.failures for one in families)
        table.add_row(kind, f"{len(families)}", f"{cases:,}", f"{failures:,}", f"{failures / cases:.1%}")
    return table
