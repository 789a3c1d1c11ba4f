"""From logits to scores and labels: the one place that knows whether a model gives a text one label or several."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from model_store.manifest import Manifest, Reason
from model_store.softmax import softmax


class Decided(NamedTuple):
    """What follows from a text's scores; see ``Prediction``."""

    labels: tuple[str, ...]
    confident: bool | None = None
    reasons: tuple[Reason, ...] = ()
    polarity: float | None = None


class OneLabel:
    """The label with the highest score; scores are a softmax and sum to 1."""

    thresholds = None

    def __init__(self, manifest: Manifest) -> None:
        self._names = manifest.label_names
        self._calibration = manifest.calibration
        values = [label.polarity for label in manifest.labels if label.polarity is not None]
        self._polarities = np.array(values) if len(values) == len(manifest.labels) else None

    def scores(self, logits: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """(texts, labels) calibrated probabilities."""
        return softmax(logits, temperature=self._calibration.temperature)

    def decide(self, scores: NDArray[np.float64], *, unknown_share: float) -> Decided:
        """What follows from one text's (labels,) scores."""
        best = int(scores.argmax())
        score = float(scores[best])
        return Decided(
            (self._names[best],),
            self._calibration.is_confident(score, unknown_share=unknown_share),
            self._calibration.reasons(score, unknown_share=unknown_share),
            None if self._polarities is None else min(1.0, max(-1.0, float(scores @ self._polarities))),
        )


class SeveralLabels:
    """Every label whose score reaches its threshold, perhaps none; each score is a sigmoid by itself."""

    def __init__(self, manifest: Manifest) -> None:
        self._names = manifest.label_names
        choices = [(manifest.multi_label or {})[name] for name in manifest.label_names]
        self._temperature = manifest.calibration.temperature
        self._shifts = np.array([choice.shift for choice in choices])
        self.thresholds: NDArray[np.float64] = np.array([choice.threshold for choice in choices])  # (labels,)

    def scores(self, logits: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """(texts, labels) calibrated probabilities."""
        return sigmoid(logits.astype(np.float64) / self._temperature + self._shifts)

    def decide(self, scores: NDArray[np.float64], *, unknown_share: float) -> Decided:  # noqa: ARG002 - as OneLabel
        """What follows from one text's (labels,) scores; no answer is called confident or not."""
        return Decided(tuple(self._names[index] for index in np.flatnonzero(scores >= self.thresholds)))


Decision = OneLabel | SeveralLabels


def decision_of(manifest: Manifest) -> Decision:
    """How a bundle's model decides."""
    return OneLabel(manifest) if manifest.multi_label is None else SeveralLabels(manifest)


def sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """The probability of each logit by itself; 1 / (1 + e^-x), written so that no exponential overflows."""
    probabilities: NDArray[np.float64] = (1 + np.tanh(logits / 2)) / 2
    return probabilities
