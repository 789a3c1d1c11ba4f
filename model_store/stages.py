"""Stages of stored models: which one is in production, and which ones were before it."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import Field, TypeAdapter, ValidationError

from model_store.atomic_write import write_json
from model_store.base import StrictModel
from model_store.errors import BundleError, first_problem
from model_store.tags import BUNDLE, PATTERN, Tag, TagError, find, model_folder, store_folder

STAGES = ("production", "staging")
"""Words that name a stage wherever a bundle is named."""

FILE = "stages.json"


class Promotion(StrictModel):
    """A model that was given a stage."""

    tag: str = Field(pattern=f"^{PATTERN}$")
    promoted: datetime


History = dict[str, list[Promotion]]
"""Each stage's promotions; the last one is in force."""


def stages_file() -> Path:
    """The file with the stages of all models, in the root of the store."""
    return store_folder() / FILE


def read_stages() -> History:
    """Every stage's promotions, the oldest first.

    Raises:
        BundleError: the file is damaged.
    """
    path = stages_file()
    if not path.is_file():
        return {}
    try:
        return TypeAdapter(History).validate_json(path.read_bytes())
    except ValidationError as error:
        place, problem = first_problem(error)
        reason = f"is damaged at {place or 'the top level'}: {problem}; delete it and promote a model again"
        raise BundleError(path, reason) from None


def current(stage: str) -> Tag:
    """The model that has a stage.

    Raises:
        BundleError: no model has it.
    """
    promotions = read_stages().get(stage)
    if not promotions:
        raise _nothing_promoted(stage)
    return find(Tag.parse(promotions[-1].tag))


def promote(tag: Tag, stage: str) -> None:
    """Give a model a stage. The caller holds the store's lock."""
    stages = read_stages()
    promotions = stages.get(stage, [])
    if promotions and promotions[-1].tag == str(tag):
        return
    _write({**stages, stage: [*promotions, Promotion(tag=str(tag), promoted=datetime.now(UTC).replace(microsecond=0))]})


def roll_back(stage: str) -> Tag:
    """Give a stage back to the model that had it before, which is returned. The caller holds the store's lock.

    Raises:
        BundleError: no other model had it, or that one is not stored any more.
    """
    stages = read_stages()
    promotions = stages.get(stage, [])
    if not promotions:
        raise _nothing_promoted(stage)
    if len(promotions) == 1:
        raise BundleError(stages_file(), f"{promotions[-1].tag} is the first model in {stage}; there is none before it")
    before = find(Tag.parse(promotions[-2].tag))
    _write({**stages, stage: promotions[:-1]})
    return before


def named_in_store(name: str) -> Path | None:
    """The bundle's folder if ``name`` is a stage or a stored model's tag; None if it is a path.

    Raises:
        BundleError: no model has that stage, or there is no such model.
    """
    if name in STAGES:
        return model_folder(current(name)) / BUNDLE
    if Path(name).exists():
        return None
    try:
        tag = Tag.parse(name)
    except TagError:
        return None
    return model_folder(find(tag)) / BUNDLE


def _write(stages: History) -> None:
    content: dict[str, Any] = {
        stage: [json.loads(promotion.model_dump_json()) for promotion in promotions]
        for stage, promotions in stages.items()
    }
    write_json(stages_file(), content)


def _nothing_promoted(stage: str) -> BundleError:
    fix = f"promote one with: python -m model_store promote TAG --stage {stage}"
    return BundleError(stages_file(), f"no model is in {stage}; {fix}")
