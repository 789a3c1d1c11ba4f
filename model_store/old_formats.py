"""Manifests of formats 1 and 2, which held the evaluation too and had other names for some of their fields."""

from collections.abc import Mapping
from typing import Any

RENAMED = {"behaviour": "behavior", "learnt_from": "training_data", "began_with": "initialized_from"}
"""Old field names and today's."""

EVALUATION = (
    "intended_use", "not_intended_for", "metrics", "risk_coverage", "behavior", "comparison", "known_failures",
)  # fmt: skip
"""Fields that moved from manifest.json to evaluation.json in format 3."""


def split(content: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The manifest and the evaluation in an old manifest.json, with today's field names. Nothing is validated."""
    renamed = _renamed(content)
    evaluation = {name: renamed.pop(name) for name in EVALUATION if name in renamed}
    return renamed, evaluation


def _renamed(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, Mapping):
        return {RENAMED.get(name, name): _renamed(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_renamed(member) for member in value]
    return value
