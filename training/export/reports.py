"""Reads the reports that a bundle's card shows: behaviour, other methods' figures, known failures."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from model_store import SentimentModel, TextError
from model_store.base import StrictModel
from model_store.evaluation import Behavior, Comparison, KnownFailure
from model_store.manifest import Manifest

ModelT = TypeVar("ModelT", bound=StrictModel)


class EvidenceError(ValueError):
    """A report that cannot be used; the message names the file, the place and what is wanted."""


def read_behaviour(path: Path) -> list[Behavior]:
    """The families of a report of ``python -m training evaluate --behaviour``; those without a case say nothing.

    A family's name is its ``family`` or its ``name``.

    Raises:
        EvidenceError: the file is missing or holds no such list.
    """
    entries = enumerate(_entries(path, ("kind", "capability", "cases", "failures")), start=1)
    named = [(number, {"family": entry.get("name"), **entry}) for number, entry in entries if entry["cases"] != 0]
    return _parts(path, Behavior, named)


def read_comparison(path: Path) -> list[Comparison]:
    """The figures of a report of ``benchmarks/accuracy.py``.

    Either each entry is a figure, with ``method``, ``metric`` and ``value``; or it is a ``system`` on some data, with
    ``figures``: metric to value, low and high.

    Raises:
        EvidenceError: the file is missing or holds no such list.
    """
    entries = enumerate(_entries(path, ("data", "rows")), start=1)
    return _parts(path, Comparison, [(number, figure) for number, entry in entries for figure in _figures(entry)])


def _figures(entry: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """An entry's figures, each with its data, texts and method."""
    figures = entry.get("figures")
    if not isinstance(figures, dict) or not all(isinstance(figure, dict) for figure in figures.values()):
        yield entry
        return
    for metric, figure in figures.items():
        yield {**entry, "method": entry.get("system"), "metric": metric, **figure}


def read_known_failures(path: Path, model: SentimentModel) -> tuple[list[KnownFailure], list[str]]:
    """Texts that a model gets wrong, with its own answers; and those of the file that it gets right.

    The file is a list of objects with ``text`` and ``expected``, the label a person gives it. The answers are asked of
    the model itself, so that a card never shows another model's failures.

    Raises:
        EvidenceError: the file is missing or holds no such list, or a text or a label is not one for this model.
    """
    labels = model.manifest.label_names
    failures, right = [], []
    for number, entry in enumerate(_entries(path, ("text", "expected")), start=1):
        text, expected = str(entry["text"]), str(entry["expected"])
        if expected not in labels:
            raise _wrong(path, number, f"{expected!r} is no label of the model, which has {', '.join(labels)}")
        try:
            (answer,) = model.predict([text])
        except TextError as error:
            raise _wrong(path, number, error.message) from None
        if answer.label == expected:
            right.append(text)
        else:
            failures.append(KnownFailure(text=text, expected=expected, label=answer.label, score=answer.score))
    return failures, right


def attach_reports(
    manifest: Manifest,
    model: SentimentModel,
    *,
    behaviour: Path | None,
    comparison: Path | None,
    known_failures: Path | None,
) -> tuple[Manifest, list[str]]:
    """The manifest with what the reports say in place of what it said before, and what a person should know of it."""
    changes: dict[str, Any] = {}
    notes = []
    if behaviour is not None:
        changes["behaviour"] = read_behaviour(behaviour)
    if comparison is not None:
        changes["comparison"] = read_comparison(comparison)
    if known_failures is not None:
        changes["known_failures"], right = read_known_failures(known_failures, model)
        notes = [f"No failure of this bundle, so left out: {text}" for text in right]
    return manifest.model_copy(update=changes), notes


def _parts(path: Path, part: type[ModelT], entries: Sequence[tuple[int, dict[str, Any]]]) -> list[ModelT]:
    """What the entries say, each under its number in the file."""
    parts = []
    for number, entry in entries:
        known = {name: entry[name] for name in part.model_fields if name in entry}  # a report may say more
        try:
            parts.append(part.model_validate(known))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(name) for name in first["loc"])
            raise _wrong(path, number, f"{place}: {first['msg']}" if place else first["msg"]) from None
    return parts


def _entries(path: Path, needed: Sequence[str]) -> list[dict[str, Any]]:
    """The report's list of objects with the keys needed, at its top or one level below."""
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
        if isinstance(candidate, list) and candidate and all(_has(entry, needed) for entry in candidate):
            return candidate
    message = f"{path}: has no list of objects that all have {', '.join(needed)}"
    raise EvidenceError(message)


def _has(entry: object, needed: Sequence[str]) -> bool:
    return isinstance(entry, dict) and all(name in entry for name in needed)


def _wrong(path: Path, number: int, problem: str) -> EvidenceError:
    return EvidenceError(f"{path}, entry {number}: {problem}")
