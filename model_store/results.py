"""A model's answer to a text."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model_store.manifest import Reason
from model_store.tokenization import TokenizedText


class Token(NamedTuple):
    """A piece of the text, unchanged: ``text == whole_text[start:end]``, offsets in code points."""

    text: str
    start: int
    end: int
    known: bool


@dataclass(frozen=True, slots=True)
class Prediction:
    """One text's sentiment and, if asked for, each token's contribution to it and contextual representation.

    Attributes:
        label: the label with the highest score.
        score: that label's calibrated probability.
        confident: whether the score reaches the bundle's threshold and enough of the text's tokens are known; None if
            no threshold was chosen.
        reasons: why the answer is not confident; empty if it is, or if no threshold was chosen.
        scores: every label's calibrated probability, summing to 1.
        polarity: expectation of the labels' polarities under ``scores``, in [-1, 1]; None if a label has no polarity.
        logits: (labels,) before calibration.
        text: its tokens as arrays, after truncation.
        contributions: (tokens, labels); summed over tokens, plus the head's bias, they equal ``logits``. None unless
            asked for.
        representations: layer number (1 is the lowest) to (tokens, directions * hidden), [forward; backward].
            Empty unless asked for.
    """

    label: str
    score: float
    confident: bool | None
    reasons: tuple[Reason, ...]
    scores: dict[str, float]
    polarity: float | None
    logits: NDArray[np.float32]
    text: TokenizedText
    contributions: NDArray[np.float32] | None
    representations: dict[int, NDArray[np.float32]]

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
