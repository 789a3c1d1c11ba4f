"""What a bundle's manifest says of its own answers: calibration, figures with intervals, what abstaining gives."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from model_store.evaluation import Measurement, RiskCoverage
from model_store.manifest import Calibration
from training.evaluation.calibration import fit_temperature
from training.evaluation.metrics import Outcomes, outcomes, with_intervals
from training.evaluation.predictions import Answers, softmax
from training.evaluation.selective import choose_threshold, kept_at, risk_coverage


def calibrate(answers: Answers, *, target_accuracy: float) -> Calibration:
    """Fits the temperature on texts that were not learnt from, then chooses the threshold on the scores it gives."""
    temperature = fit_temperature(torch.from_numpy(answers.logits), torch.from_numpy(answers.true))
    confidence, right = _confidence(answers, temperature=temperature)
    return Calibration(
        temperature=temperature,
        data=answers.data,
        rows=len(answers.true),
        threshold=choose_threshold(confidence, right, target=target_accuracy),
        target_accuracy=target_accuracy,
    )


def figures(
    answers: Answers, *, temperature: float, polarities: Sequence[float | None], command: str | None
) -> list[Measurement]:
    """The headline figures with their 95% bootstrap intervals; see ``evaluation.with_intervals``."""
    measured = _outcomes(answers, temperature=temperature, polarities=polarities)
    return [
        Measurement(
            data=answers.data,
            rows=figure.rows,
            metric=metric,
            value=figure.value,
            low=figure.low,
            high=figure.high,
            command=command,
        )
        for metric, figure in with_intervals(measured).items()
    ]


def abstaining(answers: Answers, calibration: Calibration) -> RiskCoverage:
    """Accuracy at falling coverage, and with the bundle's own threshold."""
    confidence, right = _confidence(answers, temperature=calibration.temperature)
    threshold = calibration.threshold
    return RiskCoverage(
        data=answers.data,
        rows=len(right),
        points=risk_coverage(confidence, right),
        confident=None if threshold is None else kept_at(threshold, confidence, right),
    )


def _confidence(answers: Answers, *, temperature: float) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """(texts,) the score of the label given, and whether it is the true one."""
    measured = _outcomes(answers, temperature=temperature, polarities=[None] * answers.logits.shape[1])
    return measured.confidence, measured.predicted == measured.true


def _outcomes(answers: Answers, *, temperature: float, polarities: Sequence[float | None]) -> Outcomes:
    return outcomes(softmax(answers.logits, temperature=temperature), answers.true, polarities=polarities)
