"""What a model says of a text."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Token(NamedTuple):
    """A piece of the text as it stands there: ``text == whole_text[start:end]``, offsets in code points."""

    text: str
    start: int
    end: int
    known: bool


@dataclass(frozen=True, slots=True)
class Prediction:
    """One text's sentiment and, where asked for, what every token adds to it and means in context.

    Attributes:
        label: the label with the highest score.
        score: that label's calibrated probability.
        confident: whether that is enough for the accuracy that the bundle's threshold was chosen for; None where it has
            no threshold.
        scores: every label's calibrated probability, summing to 1.
        polarity: expectation of the labels' polarities under ``scores``, in [-1, 1]; None where a label has none.
        logits: (labels,) before calibration.
        tokens: in the order of the text, after truncation.
        contributions: (tokens, labels); summed over tokens, plus the head's bias, they equal ``logits``. None unless
            asked for.
        representations: layer number (1 is the lowest) to (tokens, directions * hidden), [forward; backward].
            Empty unless asked for.
    """

    label: str
    score: float
    confident: bool | None
    scores: dict[str, float]
    polarity: float | None
    logits: NDArray[np.float32]
    tokens: tuple[Token, ...]
    truncated: bool
    contributions: NDArray[np.float32] | None
    representations: dict[int, NDArray[np.float32]]

    @property
    def token_count(self) -> int:
        """Number of tokens the model read."""
        return len(self.tokens)

    @property
    def unknown_count(self) -> int:
        """How many of them the vocabulary lacks."""
        return sum(not token.known for token in self.tokens)
