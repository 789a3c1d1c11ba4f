"""GET /v1/model: what is served, from the bundle's manifest and the settings."""

from importlib.metadata import PackageNotFoundError, version

from model_store import SentimentModel
from service.schemas import LimitsInForce, ModelCard
from service.settings import Settings

try:
    VERSION = version("sentiment-encoder")
except PackageNotFoundError:  # in an image, which has the code but not the package
    VERSION = "unknown"

EVALUATION = ("metrics", "risk_coverage", "behaviour", "comparison", "known_failures")
"""Fields of a manifest that say how good the model is: most of its bytes, and not needed to use the model."""


def model_card(model: SentimentModel, settings: Settings) -> ModelCard:
    """The whole card."""
    manifest = model.manifest
    fields = ModelCard.model_fields.keys() - {"sha256", "limits", "service_version"}
    return ModelCard.model_construct(
        **{name: getattr(manifest, name) for name in ModelCard.model_fields if name in fields},
        sha256=model.sha256,
        service_version=VERSION,
        limits=LimitsInForce(
            max_tokens=manifest.limits.max_tokens,
            max_characters=settings.max_characters,
            max_texts=settings.max_texts,
            max_body_bytes=settings.max_body_bytes,
            max_request_tokens=settings.max_request_tokens,
            max_request_numbers=settings.max_request_numbers,
            deadline_seconds=settings.deadline_seconds,
        ),
    )


def model_summary(card: ModelCard) -> bytes:
    """The card without its evaluation, as JSON."""
    return card.model_dump_json(exclude=set(EVALUATION)).encode()
