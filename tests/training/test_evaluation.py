"""Figures worked out by hand."""

import pytest
import torch

from training.evaluation import evaluate

SCORES = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.3, 0.5, 0.2], [0.0, 0.1, 0.9]])
LABELS = torch.tensor([0, 2, 0, 2])


def test_accuracy_and_f1():
    measured = evaluate(SCORES, LABELS, polarities=[None, None, None])
    assert measured["accuracy"] == (0.5, 4)  # first and last
    # F1: negative 2/3 (precision 1, recall 1/2), positive 2/3; neutral was predicted but never true: 0.
    assert measured["macro_f1"][0] == pytest.approx((2 / 3 + 0 + 2 / 3) / 3)
    assert "polar_accuracy" not in measured


def test_polar_accuracy_leaves_neutral_out_of_texts_and_scores():
    labels = torch.tensor([0, 2, 1, 2])
    # Rows 0, 1, 3 are polar: 0.7 > 0.1, 0.3 > 0.1, 0.9 > 0.0, all as labelled.
    assert evaluate(SCORES, labels, polarities=[-1, 0, 1])["polar_accuracy"] == (1.0, 3)


def test_calibration_error_is_the_gap_between_confidence_and_accuracy():
    scores = torch.tensor([[0.8, 0.2]] * 10)
    labels = torch.tensor([0] * 6 + [1] * 4)
    assert evaluate(scores, labels, polarities=[None, None])["calibration_error"][0] == pytest.approx(0.2, abs=1e-6)
