"""A bundle's own predictions for labelled texts: what it is calibrated and measured by."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from model_store import SentimentModel, TextError
from model_store.tokenization import TokenizedText
from training.data.examples import DataError, Example
from training.evaluation.metrics import Outcomes

CHUNK_SIZE = 512
"""Texts that are tokenized and run at a time."""


@dataclass(frozen=True, slots=True)
class Predictions:
    """A bundle's predictions for the texts of a labelled file, without the texts that hold no token.

    Attributes:
        data: the file's name, or several joined by " + ".
        logits: (texts, labels).
        true: (texts,) indices of the true labels.
        skipped: number of texts without a token, for which a network has no prediction.
    """

    data: str
    logits: NDArray[np.float64]
    true: NDArray[np.int64]
    skipped: int

    def outcomes(self, *, temperature: float, polarities: Sequence[float | None] | None = None) -> Outcomes:
        """The outcomes at a temperature; without ``polarities`` they have no polar ones."""
        scores = softmax(self.logits, temperature=temperature)
        return Outcomes.of_scores(scores, self.true, polarities=polarities or [None] * scores.shape[1])


def predict_file(model: SentimentModel, examples: Sequence[Example], *, data: str) -> Predictions:
    """Runs the bundle on a file's examples; ``data`` is the file's name.

    Raises:
        DataError: no text holds a token.
    """
    names = model.manifest.label_names
    logits = bundle_logits(model, [example.text for example in examples], description=f"Measuring {data}")
    has_tokens = ~np.isnan(logits[:, 0])
    if not has_tokens.any():
        raise DataError(Path(data), None, problem="no text holds a token.", fix="Check its encoding and columns.")
    true = np.array([names.index(example.label) for example in examples])
    return Predictions(data, logits[has_tokens], true[has_tokens], int((~has_tokens).sum()))


def concatenate(files: Sequence[Predictions]) -> Predictions:
    """The predictions for several files as one, with equal weight for each text."""
    return Predictions(
        " + ".join(file.data for file in files),
        np.concatenate([file.logits for file in files]),
        np.concatenate([file.true for file in files]),
        sum(file.skipped for file in files),
    )


def bundle_logits(
    model: SentimentModel, texts: Sequence[str], *, description: str = "Measuring"
) -> NDArray[np.float64]:
    """The bundle's logits, (texts, labels); a row of NaN for a text without a token."""
    logits = np.full((len(texts), len(model.manifest.labels)), np.nan)
    for start in track(range(0, len(texts), CHUNK_SIZE), description=description, transient=True):
        tokenized: dict[int, TokenizedText] = {}
        for row, text in enumerate(texts[start : start + CHUNK_SIZE], start=start):
            try:
                tokenized[row] = model.tokenize(text)
            except TextError as error:
                if error.code != "empty_text":
                    raise
        predictions = model.predict_tokenized(list(tokenized.values()))
        for row, prediction in zip(tokenized, predictions, strict=True):
            logits[row] = prediction.logits
    return logits


def softmax(logits: NDArray[np.float64], *, temperature: float) -> NDArray[np.float64]:
    """Calibrated probabilities of each row's labels; NaN stays NaN."""
    exponentials = np.exp((logits - logits.max(axis=1, keepdims=True)) / temperature)
    scores: NDArray[np.float64] = exponentials / exponentials.sum(axis=1, keepdims=True)
    return scores
