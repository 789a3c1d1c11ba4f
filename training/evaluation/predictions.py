"""A bundle's own answers to labelled texts, from which everything is measured that its manifest says of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from model_store import SentimentModel, TextError
from model_store.tokenization import TokenizedText
from training.data.examples import DataError, Example

TEXTS_A_CHUNK = 512


@dataclass(frozen=True, slots=True)
class Answers:
    """What a bundle says of the texts of a labelled file, those without a token left out.

    Attributes:
        data: the file's name, or several with " + " between them.
        logits: (texts, labels).
        true: (texts,) numbers of the true labels.
        left_out: how many texts held no token, of which a network has nothing to say.
    """

    data: str
    logits: NDArray[np.float64]
    true: NDArray[np.int64]
    left_out: int


def answers(model: SentimentModel, examples: Sequence[Example], *, data: str) -> Answers:
    """Asks the bundle.

    Raises:
        DataError: no text holds a token.
    """
    names = model.manifest.label_names
    logits = bundle_logits(model, [example.text for example in examples], description=f"Measuring {data}")
    read = ~np.isnan(logits[:, 0])
    if not read.any():
        raise DataError(Path(data), None, problem="no text holds a token.", fix="Check its encoding and columns.")
    true = np.array([names.index(example.label) for example in examples])
    return Answers(data, logits[read], true[read], int((~read).sum()))


def together(files: Sequence[Answers]) -> Answers:
    """The texts of several files as one, each text counting the same."""
    return Answers(
        " + ".join(file.data for file in files),
        np.concatenate([file.logits for file in files]),
        np.concatenate([file.true for file in files]),
        sum(file.left_out for file in files),
    )


def bundle_logits(
    model: SentimentModel, texts: Sequence[str], *, description: str = "Measuring"
) -> NDArray[np.float64]:
    """The bundle's logits, (texts, labels); a row of NaN for a text that holds no token."""
    logits = np.full((len(texts), len(model.manifest.labels)), np.nan)
    for start in track(range(0, len(texts), TEXTS_A_CHUNK), description=description, transient=True):
        tokenized: dict[int, TokenizedText] = {}
        for row, text in enumerate(texts[start : start + TEXTS_A_CHUNK], start=start):
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
