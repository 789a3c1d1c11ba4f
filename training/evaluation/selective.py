"""Selective prediction: from which score on an answer counts as confident, and what that costs in coverage.

A classifier that may abstain trades coverage, the share of texts it answers, for accuracy on those (El-Yaniv and
Wiener 2010, "On the Foundations of Noise-free Selective Classification"). The score of the predicted label ranks the
answers, as in Geifman and El-Yaniv 2017.
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from model_store.evaluation import CoveragePoint, RiskCoverage
from model_store.manifest import Calibration
from model_store.progress import track
from training.evaluation.predictions import Predictions

COVERAGES = (1.0, 0.95, 0.9, 0.8, 0.7, 0.5)

UNKNOWN_SHARES = tuple(round(0.05 * step, 2) for step in range(1, 11))
"""The shares of unknown tokens that are tried, 5% to 50%: a text of which most is unknown was not read, however well a
network guesses the label of validation texts whose other words are gone."""


def choose_threshold(confidence: NDArray[np.float64], correct: NDArray[np.bool_], *, target: float) -> float | None:
    """The smallest threshold whose answers are correct as often as ``target``, which keeps the most answers.

    It lies half way between the lowest score kept and the next one below, so that a difference in the last digits does
    not move an answer to the other side. It is 0 if all answers together reach the target. Accuracy is not monotonic
    in the threshold; the smallest qualifying one is returned.

    A threshold needs at least 1 / (1 - target) answers, 20 for 95%. With one wrong answer, fewer would miss the target,
    so they reach it only without any, which a handful of answers does by chance.

    Args:
        confidence: (texts,) scores of the predicted labels.
        correct: (texts,) whether those are the true labels.
        target: an accuracy, between 0 and 1.

    Returns:
        The threshold, or None if no threshold reaches the target.
    """
    order = np.argsort(-confidence, kind="stable")
    scores = confidence[order]
    counts = np.arange(1, len(scores) + 1)
    accuracy = np.cumsum(correct[order]) / counts
    ends_here = np.append(scores[1:] < scores[:-1], True)  # texts of equal score are kept together
    (qualifying,) = np.nonzero(ends_here & (counts >= minimum_kept(target)) & (accuracy >= target))
    if not len(qualifying):
        return None
    last = int(qualifying[-1])
    return 0.0 if last == len(scores) - 1 else float(scores[last] + scores[last + 1]) / 2


def choose_max_unknown_share(
    predict: Callable[[float], Predictions], *, temperature: float, threshold: float | None, target: float
) -> float | None:
    """The largest share of unknown tokens with at most twice the errors of confident answers that the target allows.

    Held-out texts of the training domain have few unknown tokens, so tokens are made unknown at random. Without a
    limit, a text in another script, of which every token is unknown, gets an answer with a high score.

    Args:
        predict: the predictions for held-out texts with a share of each text's tokens made unknown.
        temperature: of the calibration.
        threshold: the score of a confident answer; None if no answer is confident.
        target: the accuracy that the threshold was chosen for.

    Returns:
        The last of ``UNKNOWN_SHARES`` before the first that does not qualify, or 0; None without a threshold.
    """
    if threshold is None:
        return None
    largest = 0.0
    for share in track(UNKNOWN_SHARES, "Choosing the limit on unknown tokens", unit="shares"):
        outcomes = predict(share).outcomes(temperature=temperature)
        confident = outcomes.confidence >= threshold
        if confident.any() and 1 - outcomes.correct[confident].mean() > 2 * (1 - target):
            break
        largest = share
    return largest


def minimum_kept(target: float) -> int:
    """The smallest number of answers that still reaches the target with one wrong answer among them."""
    return math.ceil(round(1 / (1 - target), 6))  # 1 / (1 - 0.9) is 10.000000000000002


def risk_coverage(predictions: Predictions, calibration: Calibration) -> RiskCoverage:
    """Accuracy at falling coverage, and at the bundle's own threshold."""
    outcomes = predictions.outcomes(temperature=calibration.temperature)
    confidence, correct, threshold = outcomes.confidence, outcomes.correct, calibration.threshold
    limit = 1.0 if calibration.max_unknown_share is None else calibration.max_unknown_share
    known = np.where(predictions.unknown_share <= limit, confidence, -1.0)  # no threshold is as low
    return RiskCoverage(
        data=predictions.data,
        rows=len(outcomes),
        points=risk_coverage_curve(confidence, correct),
        confident=None if threshold is None else coverage_at(threshold, known, correct),
    )


def risk_coverage_curve(confidence: NDArray[np.float64], correct: NDArray[np.bool_]) -> list[CoveragePoint]:
    """The accuracy of the most confident answers at each of ``COVERAGES``, rounded up to whole texts.

    Where scores tie, all texts of the lowest score kept are counted.
    """
    scores = np.sort(confidence)[::-1]
    points = []
    for coverage in COVERAGES:
        threshold = float(scores[math.ceil(round(coverage * len(scores), 6)) - 1])
        point = coverage_at(threshold, confidence, correct)
        points.append(point.model_copy(update={"coverage": coverage}))
    return points


def coverage_at(threshold: float, confidence: NDArray[np.float64], correct: NDArray[np.bool_]) -> CoveragePoint:
    """The share of answers that reach a threshold, and how many of those are correct."""
    accepted = confidence >= threshold
    accuracy = float(correct[accepted].mean()) if accepted.any() else None
    return CoveragePoint(threshold=threshold, coverage=float(accepted.mean()), accuracy=accuracy)
