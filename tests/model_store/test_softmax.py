"""The softmax."""

import math

import numpy as np
import pytest

from model_store.softmax import softmax


def test_probabilities_are_proportional_to_exponentials() -> None:
    logits = np.array([[0.0, math.log(3)], [math.log(5), 0.0]])
    assert softmax(logits) == pytest.approx(np.array([[1 / 4, 3 / 4], [5 / 6, 1 / 6]]))


def test_logits_are_divided_by_the_temperature() -> None:
    assert softmax(np.array([[0.0, 2 * math.log(3)]]), temperature=2.0) == pytest.approx(np.array([[1 / 4, 3 / 4]]))


def test_large_logits_of_32_bits_do_not_overflow() -> None:
    scores = softmax(np.array([[3e38, 0.0], [-1000.0, -1000.0]], dtype=np.float32))
    assert scores.dtype == np.float64
    assert scores.tolist() == [[1.0, 0.0], [0.5, 0.5]]


def test_nan_stays_nan() -> None:
    assert np.isnan(softmax(np.array([[np.nan, 1.0]]))).all()
