"""A bundle's own predictions for labeled texts, for calibration and measurement."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model_store import GraphRunner, TextError, TokenizedText
from model_store.progress import Progress
from model_store.softmax import softmax
from training.data.examples import DataError, Example
from training.evaluation.label_sets import Truth, true_labels
from training.evaluation.metrics import Outcomes

CHUNK_SIZE = 512
"""Texts that are tokenized and run at a time."""


@dataclass(frozen=True, slots=True)
class Predictions:
    """A bundle's predictions for the texts of a labeled file, without the texts that hold no token.

    Attributes:
        data: the file's name, or several joined by " + ".
        logits: (texts, labels).
        true: (texts,) indices of the true labels, or (texts, labels) sets of them.
        unknown_share: (texts,) the share of tokens that the vocabulary lacks.
        words: (texts,) the number of words of each whole text, also of one that is truncated.
        skipped: number of texts without a token, for which a network has no prediction.
    """

    data: str
    logits: NDArray[np.float64]
    true: Truth
    unknown_share: NDArray[np.float64]
    words: NDArray[np.int64]
    skipped: int

    def outcomes(self, *, temperature: float, polarities: Sequence[float | None] | None = None) -> Outcomes:
        """The outcomes of one label a text at a temperature; without ``polarities`` they have no polar ones."""
        scores, true = softmax(self.logits, temperature=temperature), self.true.astype(np.int64)
        return Outcomes.of_scores(scores, true, polarities=polarities or [None] * scores.shape[1])


def predict_file(
    runner: GraphRunner,
    examples: Sequence[Example],
    *,
    labels: Sequence[str],
    data: str,
    made_unknown: float = 0.0,
) -> Predictions:
    """Run a tokenizer and a graph on a file's examples.

    Args:
        runner: of the bundle that is measured.
        examples: the file's texts with their labels.
        labels: the bundle's labels, in the order of the logits.
        data: the file's name.
        made_unknown: this share of each text's tokens, chosen at random, is first replaced by the unknown token.

    Raises:
        DataError: no text holds a token.
    """
    generator = np.random.default_rng(0)
    logits = np.full((len(examples), len(labels)), np.nan)
    unknown_share = np.zeros(len(examples))
    for rows, texts in _tokenized(runner, [example.text for example in examples], description=f"Measuring {data}"):
        masked = [_with_unknown(text, made_unknown, runner.unknown_id, generator) for text in texts]
        logits[rows] = _logits(runner, masked)
        unknown_share[rows] = [text.unknown_share for text in masked]
    has_tokens = ~np.isnan(logits[:, 0])
    if not has_tokens.any():
        raise DataError(Path(data), None, problem="no text has a token.", fix="Check its encoding and columns.")
    true = true_labels(examples, labels)
    words = np.array([len(example.text.split()) for example in examples])
    return Predictions(
        data,
        logits[has_tokens],
        true[has_tokens],
        unknown_share[has_tokens],
        words[has_tokens],
        skipped=int((~has_tokens).sum()),
    )


def concatenate(files: Sequence[Predictions]) -> Predictions:
    """The predictions for several files as one, with equal weight for each text."""
    return Predictions(
        " + ".join(file.data for file in files),
        np.concatenate([file.logits for file in files]),
        np.concatenate([file.true for file in files]),
        np.concatenate([file.unknown_share for file in files]),
        np.concatenate([file.words for file in files]),
        sum(file.skipped for file in files),
    )


def bundle_logits(
    runner: GraphRunner, texts: Sequence[str], *, labels: int, description: str = "Measuring"
) -> NDArray[np.float64]:
    """The graph's logits, (texts, labels); a row of NaN for a text without a token."""
    logits = np.full((len(texts), labels), np.nan)
    for rows, tokenized in _tokenized(runner, texts, description=description):
        logits[rows] = _logits(runner, tokenized)
    return logits


def _tokenized(
    runner: GraphRunner, texts: Sequence[str], *, description: str
) -> Iterator[tuple[list[int], list[TokenizedText]]]:
    """Chunks of the texts that hold a token, and their rows."""
    with Progress(description, total=len(texts)) as progress:
        for start in range(0, len(texts), CHUNK_SIZE):
            chunk: dict[int, TokenizedText] = {}
            for row, text in enumerate(texts[start : start + CHUNK_SIZE], start=start):
                try:
                    chunk[row] = runner.tokenize(text)
                except TextError as error:
                    if error.code != "empty_text":
                        raise
            if chunk:
                yield list(chunk), list(chunk.values())
            progress.update(min(start + CHUNK_SIZE, len(texts)))


def _with_unknown(text: TokenizedText, share: float, unknown_id: int, generator: np.random.Generator) -> TokenizedText:
    """The text with a share of its tokens, chosen at random, replaced by the unknown token."""
    indices = generator.permutation(len(text))[: round(share * len(text))]
    ids, known = text.ids.copy(), text.known.copy()
    ids[indices], known[indices] = unknown_id, False
    return replace(text, ids=ids, known=known)


def _logits(runner: GraphRunner, texts: Sequence[TokenizedText]) -> NDArray[np.float32]:
    """(texts, labels)."""
    return np.stack([outputs["logits"] for outputs in runner.run(texts, ["logits"])])
