"""Calibrates a graph on the texts of all validation files together."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from model_store import GraphRunner
from model_store.manifest import Calibration, LabelChoice
from training.data.examples import Example
from training.evaluation.calibration import calibrate
from training.evaluation.label_thresholds import calibrate_labels, uncalibrated
from training.evaluation.predictions import Predictions, concatenate, predict_file

UNKNOWN_TEXTS = 1000
"""Number of validation texts, evenly spaced, on which the limit on unknown tokens is chosen."""


@dataclass(frozen=True, slots=True)
class Calibrated:
    """The calibration of a graph, and its predictions for each validation file.

    Attributes:
        multi_label: when each label is given; None if a text has one.
    """

    calibration: Calibration
    multi_label: dict[str, LabelChoice] | None
    predictions: list[Predictions]


def calibrate_on_files(
    runner: GraphRunner,
    files: Sequence[tuple[str, list[Example]]],
    *,
    labels: Sequence[str],
    multi_label: bool,
    target_accuracy: float,
) -> Calibrated:
    """Calibrate on all files together.

    Args:
        runner: tokenizer and graph.
        files: names and examples of the validation files; without one, the scores are not calibrated.
        labels: in the order of the logits.
        multi_label: whether a text has any number of labels. No answer is called confident then.
        target_accuracy: what confident answers should reach.
    """
    if not files:
        choices = uncalibrated(labels) if multi_label else None
        return Calibrated(Calibration(temperature=1.0, data=None, rows=0), choices, [])
    stride = math.ceil(sum(len(examples) for _, examples in files) / UNKNOWN_TEXTS)

    def predict_unknown(share: float) -> Predictions:
        sampled = [(data, examples[::stride]) for data, examples in files]
        return concatenate(
            [predict_file(runner, examples, labels=labels, data=data, made_unknown=share) for data, examples in sampled]
        )

    predictions = [predict_file(runner, examples, labels=labels, data=data) for data, examples in files]
    together = concatenate(predictions)
    if multi_label:
        return Calibrated(*calibrate_labels(together, labels=labels), predictions)
    calibration = calibrate(together, target_accuracy=target_accuracy, predict_unknown=predict_unknown)
    return Calibrated(calibration, None, predictions)
