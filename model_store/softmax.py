"""The softmax of logits."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def softmax(logits: NDArray[np.floating[Any]], *, temperature: float = 1.0) -> NDArray[np.float64]:
    """Probabilities of each row of logits, computed in 64 bits.

    Args:
        logits: (texts, labels). A row with NaN stays NaN.
        temperature: divides the logits (Guo et al. 2017, equation 9).
    """
    scaled = logits.astype(np.float64) / temperature
    exponentials = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    probabilities: NDArray[np.float64] = exponentials / exponentials.sum(axis=1, keepdims=True)
    return probabilities
