"""A text's labels with their scores, in the form of Hugging Face's pipelines, which others have taken over."""

from collections.abc import Iterator, Sequence

from pydantic import Field, RootModel
from pydantic_core import to_json

from model_store import Prediction
from service.adapters.adapted_model import AdapterResponse


class LabelScore(AdapterResponse):
    """One label of a text."""

    label: str = Field(examples=["positive"])
    score: float = Field(description="Its calibrated probability, or its logit if that was requested.", examples=[0.97])


class ScoreLists(RootModel[list[list[LabelScore]]]):
    """Each text's labels, the one with the highest score first."""


class ScoreListOrLists(RootModel[list[LabelScore] | list[list[LabelScore]]]):
    """The labels of the only text, or of each text in a list, the one with the highest score first."""


def label_scores(prediction: Prediction, *, raw: bool = False) -> list[LabelScore]:
    """All labels, the one with the highest score first; ``raw`` gives logits for probabilities."""
    scores = prediction.logits.tolist() if raw else prediction.scores.values()
    pairs = zip(prediction.scores, scores, strict=True)
    return sorted((LabelScore(label=label, score=score) for label, score in pairs), key=_score, reverse=True)


def score_lists(predictions: Sequence[Prediction], *, raw: bool = False, top: int | None = None) -> Iterator[bytes]:
    """The JSON of each text's ``top`` labels, all by default."""
    return (to_json(label_scores(prediction, raw=raw)[:top]) for prediction in predictions)


def _score(label: LabelScore) -> float:
    return label.score
