"""What an evaluation is made of: measurements of files, and reports of behavior, other methods and known failures."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from model_store import Evaluation, SentimentModel, TextError
from model_store.base import StrictModel
from model_store.decision import decision_of
from model_store.errors import first_problem
from model_store.evaluation import Behavior, Comparison, KnownFailure
from model_store.manifest import Manifest
from training.evaluation.label_sets import outcomes_of
from training.evaluation.length_groups import length_groups
from training.evaluation.metrics import Outcomes, measurements
from training.evaluation.predictions import Predictions
from training.evaluation.selective import risk_coverage

ModelT = TypeVar("ModelT", bound=StrictModel)


class EvidenceError(ValueError):
    """A report that cannot be used; the message names the file, the entry and what is expected."""


def attach_measurements(
    evaluation: Evaluation, manifest: Manifest, predictions: Predictions, *, command: str
) -> Evaluation:
    """The evaluation with the measurements of a file in place of those of a file of the same name.

    Args:
        evaluation: as it is.
        manifest: of the bundle that made the predictions.
        predictions: for the file.
        command: what measured it, for the card.
    """
    polarities = [label.polarity for label in manifest.labels]
    decision = decision_of(manifest)
    scores = decision.scores(predictions.logits)
    outcomes = outcomes_of(scores, predictions.true, thresholds=decision.thresholds, polarities=polarities)
    metrics = [metric for metric in evaluation.metrics if metric.data != predictions.data]
    groups = [group for group in evaluation.length_groups if group.data != predictions.data]
    curves = [curve for curve in evaluation.risk_coverage if curve.data != predictions.data]
    measured = [*metrics, *measurements(outcomes, data=predictions.data, command=command)]
    if not isinstance(outcomes, Outcomes):
        return evaluation.replace(metrics=measured)
    return evaluation.replace(
        metrics=measured,
        risk_coverage=[*curves, risk_coverage(predictions, manifest.calibration)],
        length_groups=[*groups, *length_groups(outcomes, predictions.words, data=predictions.data)],
    )


def attach_reports(
    evaluation: Evaluation,
    model: SentimentModel,
    *,
    behavior: Path | None,
    comparison: Path | None,
    known_failures: Path | None,
) -> tuple[Evaluation, list[str]]:
    """The evaluation with each report in place of the one before, and notes for the user.

    Raises:
        EvidenceError: a report cannot be used.
    """
    changes: dict[str, Any] = {}
    notes = []
    if behavior is not None:
        changes["behavior"] = read_behavior(behavior)
    if comparison is not None:
        changes["comparison"] = read_comparison(comparison)
    if known_failures is not None:
        changes["known_failures"], right = read_known_failures(known_failures, model)
        notes = [f"No failure of this bundle, so left out: {text}" for text in right]
    return evaluation.replace(**changes), notes


def read_behavior(path: Path) -> list[Behavior]:
    """The families of a report of ``python -m training evaluate``, without those that have no cases.

    A family's name is its ``family`` or its ``name``.

    Raises:
        EvidenceError: the file is missing or holds no such list.
    """
    entries = enumerate(_entries(path, ("kind", "capability", "cases", "failures")), start=1)
    named = [(number, {"family": entry.get("name"), **entry}) for number, entry in entries if entry["cases"] != 0]
    return _validated(path, Behavior, named)


def read_comparison(path: Path) -> list[Comparison]:
    """The figures of a report of ``python -m benchmarks.accuracy``.

    Either each entry is a figure, with ``method``, ``metric`` and ``value``; or it is a ``system`` on some data, with
    ``figures``: metric to value, low and high.

    Raises:
        EvidenceError: the file is missing or holds no such list.
    """
    entries = enumerate(_entries(path, ("data", "rows")), start=1)
    return _validated(path, Comparison, [(number, figure) for number, entry in entries for figure in _figures(entry)])


def _figures(entry: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """An entry's figures, each with its data, texts and method."""
    entry = {"training_data": entry.get("learnt_from"), **entry}  # as older reports call it
    figures = entry.get("figures")
    if not isinstance(figures, dict) or not all(isinstance(figure, dict) for figure in figures.values()):
        yield entry
        return
    for metric, figure in figures.items():
        yield {**entry, "method": entry.get("system"), "metric": metric, **figure}


def read_known_failures(path: Path, model: SentimentModel) -> tuple[list[KnownFailure], list[str]]:
    """Texts that a model labels wrongly, with its own answers; and those of the file that it labels rightly.

    The file is a list of objects with ``text`` and ``expected``, the right label. The model answers them itself, so
    that a card never shows another model's failures.

    Raises:
        EvidenceError: the file is missing or holds no such list, or a text or a label is not one for this model.
    """
    labels = model.manifest.label_names
    failures, right = [], []
    for number, entry in enumerate(_entries(path, ("text", "expected")), start=1):
        text, expected = str(entry["text"]), str(entry["expected"])
        if expected not in labels:
            raise _error(path, number, f"{expected!r} is not a label of the model, which has {', '.join(labels)}")
        try:
            (prediction,) = model.predict([text])
        except TextError as error:
            raise _error(path, number, error.message) from None
        if prediction.label == expected:
            right.append(text)
        else:
            failure = KnownFailure(text=text, expected=expected, label=prediction.label, score=prediction.score)
            failures.append(failure)
    return failures, right


def _validated(path: Path, model: type[ModelT], entries: Sequence[tuple[int, Mapping[str, Any]]]) -> list[ModelT]:
    """The entries as objects, each given with its number in the file; unknown fields are left out."""
    objects = []
    for number, entry in entries:
        fields = {name: entry[name] for name in model.model_fields if name in entry}
        try:
            objects.append(model.model_validate(fields))
        except ValidationError as error:
            field, problem = first_problem(error)
            raise _error(path, number, f"{field}: {problem}" if field else problem) from None
    return objects


def _entries(path: Path, fields: Sequence[str]) -> list[dict[str, Any]]:
    """The report's list of objects with these fields, at its top or one level below."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        message = f"{path}: cannot be read ({error.strerror})"
        raise EvidenceError(message) from None
    except ValueError as error:
        message = f"{path}: is not valid JSON ({error})"
        raise EvidenceError(message) from None
    candidates = list(content.values()) if isinstance(content, dict) else [content]
    for candidate in candidates:
        if isinstance(candidate, list) and candidate and all(_has(entry, fields) for entry in candidate):
            return candidate
    message = f"{path}: has no list of objects that all have {', '.join(fields)}"
    raise EvidenceError(message)


def _has(entry: object, fields: Sequence[str]) -> bool:
    return isinstance(entry, dict) and all(name in entry for name in fields)


def _error(path: Path, position: int, problem: str) -> EvidenceError:
    return EvidenceError(f"{path}, entry {position}: {problem}")
