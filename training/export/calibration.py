"""Calibrates a graph on the texts of all validation files together."""

import math
from collections.abc import Sequence

from model_store import GraphRunner
from model_store.manifest import Calibration
from training.data.examples import Example
from training.evaluation.calibration import calibrate
from training.evaluation.predictions import Predictions, concatenate, predict_file

UNKNOWN_TEXTS = 1000
"""Number of validation texts, evenly spaced, on which the limit on unknown tokens is chosen."""


def calibrate_on_files(
    runner: GraphRunner, files: Sequence[tuple[str, list[Example]]], *, labels: Sequence[str], target_accuracy: float
) -> tuple[Calibration, list[Predictions]]:
    """The calibration, and the predictions for each file.

    Args:
        runner: tokenizer and graph.
        files: names and examples of the validation files; without one, the scores are not calibrated.
        labels: in the order of the logits.
        target_accuracy: what confident answers should reach.
    """
    if not files:
        return Calibration(temperature=1.0, data=None, rows=0), []
    stride = math.ceil(sum(len(examples) for _, examples in files) / UNKNOWN_TEXTS)

    def predict_unknown(share: float) -> Predictions:
        sampled = [(data, examples[::stride]) for data, examples in files]
        return concatenate(
            [predict_file(runner, examples, labels=labels, data=data, made_unknown=share) for data, examples in sampled]
        )

    predictions = [predict_file(runner, examples, labels=labels, data=data) for data, examples in files]
    together = concatenate(predictions)
    return calibrate(together, target_accuracy=target_accuracy, predict_unknown=predict_unknown), predictions
