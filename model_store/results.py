"""A model's answer to a text."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from model_store.errors import ModelError
from model_store.manifest import Reason
from model_store.tokenization import TokenizedText


class Token(NamedTuple):
    """A piece of the text, unchanged: ``text == whole_text[start:end]``, offsets in code points."""

    text: str
    start: int
    end: int
    known: bool


@dataclass(frozen=True, slots=True)
class Match:
    """A text found by ``SentimentModel.similar``: its position among the texts searched, and the cosine, -1 to 1."""

    index: int
    text: str
    cosine: float


class Representations(Mapping[int, NDArray[np.float32]]):
    """The layers asked for, in that order: layer to (tokens, directions * hidden), [forward; backward].

    ``representations[2]`` counts from the lowest layer, which is 1, and ``representations[-1]`` from the top. Iteration
    gives the numbers from 1.
    """

    def __init__(self, arrays: Mapping[int, NDArray[np.float32]], *, depth: int) -> None:
        self._arrays = dict(arrays)
        self._depth = depth

    def __getitem__(self, layer: int) -> NDArray[np.float32]:
        """One layer's representations; raises ``KeyError`` for a layer that was not asked for."""
        number = from_lowest(layer, depth=self._depth)
        if number not in self._arrays:
            asked = ", ".join(map(str, self._arrays)) or "none"
            message = f"layer {layer} was not asked for (layers asked for: {asked}); name it in represent(layers=...)"
            raise KeyError(message)
        return self._arrays[number]

    def __iter__(self) -> Iterator[int]:
        return iter(self._arrays)

    def __len__(self) -> int:
        """Number of layers asked for."""
        return len(self._arrays)

    def __repr__(self) -> str:
        shapes = ", ".join(f"{layer}: {array.shape}" for layer, array in self._arrays.items())
        return f"Representations({{{shapes}}})"


def require_layer(layer: int, *, depth: int) -> int:
    """The same as ``from_lowest``; raises ``ModelError`` for a layer that a model of this depth does not have."""
    number = from_lowest(layer, depth=depth)
    if not 1 <= number <= depth:
        message = f"layer {layer} does not exist: the model has layers 1 to {depth}, or -{depth} to -1"
        raise ModelError(message)
    return number


def from_lowest(layer: int, *, depth: int) -> int:
    """The number of a layer counted from the lowest, 1; a negative ``layer`` counts from the top, -1."""
    return depth + 1 + layer if layer < 0 else layer


MIXED_POLARITY = 0.5
"""A text is mixed if one of its sentences has at least this polarity and another at most its negative.

Chosen on documents composed of validation sentences; ``python -m benchmarks.mixed`` measures it.
"""


def is_mixed(sentences: Iterable[float | None], threshold: float = MIXED_POLARITY) -> bool | None:
    """Whether a text praises and blames, from the polarities of its sentences; None if the model's labels have none."""
    polarities = [polarity for polarity in sentences if polarity is not None]
    return min(polarities) <= -threshold and max(polarities) >= threshold if polarities else None


@dataclass(frozen=True, slots=True)
class Prediction:
    """One text's sentiment and, if asked for, each token's contribution to it and contextual representation.

    Attributes:
        labels: the labels given: one, or with a multi-label model any number, in the order of the model's labels.
        multi_label: whether the model is one that may give any number.
        confident: whether the score reaches the bundle's threshold and enough of the text's tokens are known; None if
            no threshold was chosen.
        reasons: why the answer is not confident; empty if it is, or if no threshold was chosen.
        scores: every label's calibrated probability; they sum to 1 unless the model is multi-label.
        polarity: expectation of the labels' polarities under ``scores``, in [-1, 1]; None if a label has no polarity.
        logits: (labels,) before calibration.
        text: its tokens as arrays, after truncation.
        contributions: (tokens, labels); summed over tokens, plus the head's bias, they equal ``logits``. None unless
            asked for.
        representations: layer to (tokens, directions * hidden), [forward; backward], read by any number that names
            the layer, such as -1 for the top one. Empty unless asked for.
        sentences: the text's sentences in order, each answered by itself, with its place in ``text.starts`` and
            ``text.ends``. None unless asked for.
    """

    labels: tuple[str, ...]
    multi_label: bool
    confident: bool | None
    reasons: tuple[Reason, ...]
    scores: dict[str, float]
    polarity: float | None
    logits: NDArray[np.float32]
    text: TokenizedText
    contributions: NDArray[np.float32] | None
    representations: Representations
    sentences: "tuple[Prediction, ...] | None" = None

    @property
    def mixed(self) -> bool | None:
        """Whether the text praises and blames, see ``is_mixed``; None unless its sentences were asked for."""
        return None if self.sentences is None else is_mixed(sentence.polarity for sentence in self.sentences)

    @property
    def label(self) -> str:
        """The label with the highest score.

        Raises:
            ModelError: the model is multi-label, so the answer is ``labels``.
        """
        if self.multi_label:
            message = "this model gives a text any number of labels: read labels and scores instead of label and score"
            raise ModelError(message)
        return self.labels[0]

    @property
    def score(self) -> float:
        """That label's calibrated probability; raises as ``label``."""
        return self.scores[self.label]

    def answer(self) -> dict[str, Any]:
        """What the model says of the text, under the names that JSON answers and tables have."""
        if self.multi_label:
            return {"labels": list(self.labels), "scores": self.scores}
        return {
            "label": self.label,
            "score": self.score,
            "confident": self.confident,
            "reasons": list(self.reasons),
            "scores": self.scores,
            "polarity": self.polarity,
        }

    @property
    def tokens(self) -> tuple[Token, ...]:
        """What the model read, in the order of the text. Made anew by each call: objects take ten times the memory."""
        text = self.text
        rows = zip(text.starts.tolist(), text.ends.tolist(), text.known.tolist(), strict=True)
        return tuple(Token(text.text[start:end], start, end, known) for start, end, known in rows)

    @property
    def truncated(self) -> bool:
        """Whether one end of the text was cut off."""
        return self.text.truncated

    @property
    def token_count(self) -> int:
        """Number of tokens the model read."""
        return len(self.text)

    @property
    def unknown_count(self) -> int:
        """Number of tokens that the vocabulary lacks."""
        return len(self.text) - int(np.count_nonzero(self.text.known))
