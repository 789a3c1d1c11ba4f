"""When to say "not sure": from which score on an answer counts as confident, and what that costs in coverage.

A classifier that may abstain trades coverage, the share of texts it answers, for accuracy on those (El-Yaniv and
Wiener 2010, "On the Foundations of Noise-free Selective Classification"). The score of the label given decides which
answers go first, as in Geifman and El-Yaniv 2017.
"""

import math

import numpy as np
from numpy.typing import NDArray

from model_store.evaluation import CoveragePoint

COVERAGES = (1.0, 0.95, 0.9, 0.8, 0.7, 0.5)


def choose_threshold(confidence: NDArray[np.float64], right: NDArray[np.bool_], *, target: float) -> float | None:
    """The smallest threshold with which the answers kept are right as often as ``target``: the most answers.

    It lies half way between the lowest score kept and the next one below, so that a difference in the last digits does
    not move an answer to the other side. It is 0 where all answers together are good enough. Accuracy may fall below
    the target for larger thresholds and rise again; that is nobody's loss.

    Fewer than 1 / (1 - target) answers, 20 for 95%, are never kept alone: one wrong answer among them would miss the
    target, so that they reach it only by having none, which a handful of answers has by chance.

    Args:
        confidence: (texts,) the score of the label given.
        right: (texts,) whether that is the true label.
        target: an accuracy, between 0 and 1.

    Returns:
        The threshold, or None where no threshold reaches the target.
    """
    order = np.argsort(-confidence, kind="stable")
    scores = confidence[order]
    kept = np.arange(1, len(scores) + 1)
    accuracy = np.cumsum(right[order]) / kept
    ends_here = np.append(scores[1:] < scores[:-1], True)  # texts of equal score are kept together
    enough = kept >= fewest(target)
    (found,) = np.nonzero(ends_here & enough & (accuracy >= target))
    if not len(found):
        return None
    last = int(found[-1])
    return 0.0 if last == len(scores) - 1 else float(scores[last] + scores[last + 1]) / 2


def fewest(target: float) -> int:
    """How many answers must be kept at least, so that one wrong one among them still leaves the target reached."""
    return math.ceil(round(1 / (1 - target), 6))  # 1 / (1 - 0.9) is 10.000000000000002


def risk_coverage(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> list[CoveragePoint]:
    """The accuracy of the surest answers at each of ``COVERAGES``, rounded up to whole texts.

    Where scores tie, all texts of the lowest score kept are counted.
    """
    scores = np.sort(confidence)[::-1]
    points = []
    for coverage in COVERAGES:
        threshold = float(scores[math.ceil(round(coverage * len(scores), 6)) - 1])
        kept = right[confidence >= threshold]
        points.append(CoveragePoint(threshold=threshold, coverage=coverage, accuracy=float(kept.mean())))
    return points


def kept_at(threshold: float, confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> CoveragePoint:
    """How many answers reach a threshold, and how many of those are right."""
    kept = confidence >= threshold
    accuracy = float(right[kept].mean()) if kept.any() else None
    return CoveragePoint(threshold=threshold, coverage=float(kept.mean()), accuracy=accuracy)
