"""GET /v1/model: what is served, from the bundle's manifest and evaluation and the settings."""

from model_store import Manifest, SentimentModel, __version__
from service.schemas import LimitsInForce, ModelCard
from service.settings import Settings

EVALUATION = (
    "metrics", "risk_coverage", "length_groups", "behaviour", "comparison", "known_failures", "reference",
)  # fmt: skip
"""Fields about the quality of the model: most of the card's bytes, and not needed to use the model."""


def model_card(name: str, model: SentimentModel, settings: Settings) -> ModelCard:
    """The whole card, under the name by which the model is served."""
    manifest, evaluation = model.manifest, dict(model.evaluation)
    identity = {name: value for name, value in dict(manifest).items() if name in ModelCard.model_fields}
    return ModelCard.model_construct(
        **identity | {"name": name, "limits": _limits(manifest, settings)},
        behaviour=evaluation.pop("behavior"),
        **evaluation,
        sha256=model.sha256,
        service_version=__version__,
    )


def _limits(manifest: Manifest, settings: Settings) -> LimitsInForce:
    return LimitsInForce(
        max_tokens=manifest.limits.max_tokens,
        max_characters=settings.max_characters,
        max_texts=settings.max_texts,
        max_body_bytes=settings.max_body_bytes,
        max_request_tokens=settings.max_request_tokens,
        max_request_numbers=settings.max_request_numbers,
        deadline_seconds=settings.deadline_seconds,
    )


def model_summary(card: ModelCard) -> bytes:
    """The card without its evaluation, as JSON."""
    return card.model_dump_json(exclude=set(EVALUATION)).encode()
