"""Metrics of sets of labels, against scikit-learn; calibration and thresholds, against a search."""

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, f1_score

from training.data.examples import Example
from training.evaluation.comparison import compare, thresholds_in_label_space
from training.evaluation.label_sets import outcomes_of, true_labels
from training.evaluation.label_thresholds import (
    best_threshold,
    calibrate_labels,
    choose_thresholds,
    fit_temperature_and_shifts,
)
from training.evaluation.metrics import by_label, compute_metrics, with_intervals
from training.evaluation.predictions import Predictions

LABELS = ["billing", "shipping", "urgent"]


@pytest.fixture
def random():
    return np.random.default_rng(5)


def sigmoid(values):
    return 1 / (1 + np.exp(-values))


def test_metrics_are_those_of_scikit_learn(random):
    true, scores = random.random((200, 3)) < [0.5, 0.2, 0.1], random.random((200, 3))
    thresholds = np.array([0.5, 0.7, 0.9])
    outcomes = outcomes_of(scores, true, thresholds=thresholds)
    predicted = scores >= thresholds
    found = compute_metrics(outcomes)
    assert found["micro_f1"] == pytest.approx(f1_score(true, predicted, average="micro"))
    assert found["macro_f1"] == pytest.approx(f1_score(true, predicted, average="macro"))
    assert found["subset_accuracy"] == pytest.approx(accuracy_score(true, predicted))
    assert set(found) == {"macro_f1", "micro_f1", "subset_accuracy", "calibration_error"}
    expected = f1_score(true, predicted, average=None)
    assert [entry.f1 for entry in by_label(outcomes, LABELS)] == pytest.approx(expected.tolist())


def test_calibration_error_compares_each_score_with_how_often_its_label_is_there():
    # In the bin of 0.2 one of four labels is there, in that of 0.9 both are: (4 * 0.05 + 2 * 0.1) / 6.
    scores = np.array([[0.2, 0.2, 0.9], [0.2, 0.2, 0.9]])
    true = np.array([[True, False, True], [False, False, True]])
    outcomes = outcomes_of(scores, true, thresholds=np.full(3, 0.5))
    assert compute_metrics(outcomes)["calibration_error"] == pytest.approx(0.4 / 6)


def test_a_text_without_a_token_gets_no_label():
    scores = np.array([[np.nan] * 3, [0.9, 0.1, 0.1]])
    outcomes = outcomes_of(scores, np.array([[False] * 3, [True, False, False]]), thresholds=np.full(3, 0.5))
    assert outcomes.correct.tolist() == [True, True]
    assert outcomes.named(LABELS) == (["none", "billing"], ["none", "billing"])


def test_an_interval_holds_the_value(random):
    true = random.random((60, 3)) < 0.4
    outcomes = outcomes_of(
        np.where(random.random((60, 3)) < 0.8, true, ~true).astype(float), true, thresholds=np.full(3, 0.5)
    )
    for estimate in with_intervals(outcomes).values():
        assert estimate.low <= estimate.value <= estimate.high


def test_the_threshold_has_the_highest_f1_of_all(random):
    true = random.random(80) < 0.3
    scores = np.round(sigmoid(random.normal(size=80) + 1.5 * true), 2)  # with ties
    found = f1_score(true, scores >= best_threshold(scores, true))
    assert found == max(f1_score(true, scores >= threshold) for threshold in np.unique(scores))


def test_a_rare_label_gets_the_threshold_that_is_best_for_all_together(random):
    true = random.random((300, 2)) < [0.4, 0.5]
    rare = np.zeros((300, 1), dtype=bool)
    rare[:3] = True
    true = np.hstack([true, rare])
    scores = sigmoid(random.normal(size=true.shape) + 2 * true - 1)
    first, second, third = choose_thresholds(scores, true)
    assert first == best_threshold(scores[:, 0], true[:, 0])
    assert second == best_threshold(scores[:, 1], true[:, 1])
    assert third == best_threshold(scores.ravel(), true.ravel())


def test_calibration_finds_the_temperature_and_what_weights_added(random):
    # Logits twice as large as they should be, and 1.5 too high for the second label.
    logits = random.normal(size=(20_000, 2)) - 1
    true = random.random(logits.shape) < sigmoid(logits)
    temperature, shifts = fit_temperature_and_shifts(torch.from_numpy(2 * logits + [0, 1.5]), torch.from_numpy(true))
    assert temperature == pytest.approx(2, rel=0.05)
    assert shifts == pytest.approx([0, -0.75], abs=0.06)


def test_a_label_that_no_held_out_text_has_keeps_a_finite_shift(random):
    logits = random.normal(size=(100, 2))
    true = np.stack([logits[:, 0] > 0, np.zeros(100, dtype=bool)], axis=1)
    predictions = Predictions("file", logits, true, np.zeros(100), np.ones(100, dtype=np.int64), skipped=0)
    calibration, choices = calibrate_labels(predictions, labels=LABELS[:2])
    assert calibration.rows == 100
    assert calibration.target_accuracy is None
    assert -20 < choices["shipping"].shift < 0
    assert 0 < choices["shipping"].threshold < 1


def test_truth_is_a_set_for_each_text():
    examples = [Example("a", "urgent|billing", 1, labels=("billing", "urgent")), Example("b", "", 2, labels=())]
    assert true_labels(examples, LABELS).tolist() == [[True, False, True], [False, False, False]]
    assert true_labels([Example("a", "urgent", 1)], LABELS).tolist() == [2]


def test_a_model_of_one_label_is_compared_as_one_that_always_gives_one():
    examples = [
        Example("a", "billing", 1, labels=("billing",)),
        Example("b", "billing|urgent", 2, labels=("billing", "urgent")),
        Example("c", "", 3, labels=()),
    ]
    one = np.array([[0.8, 0.1, 0.1]] * 3)
    several = np.array([[0.8, 0.1, 0.1], [0.7, 0.2, 0.6], [0.2, 0.1, 0.3]])
    found = compare(examples, (one, several), LABELS, thresholds=(None, np.full(3, 0.5)), max_flips=5)
    assert found.first["subset_accuracy"].value == pytest.approx(1 / 3)
    assert found.second["subset_accuracy"].value == 1
    assert (found.disagreements.only_first, found.disagreements.only_second) == (0, 2)
    flips = [(flip.label, flip.first, flip.second) for flip in found.flips]
    assert sorted(flips) == [("billing, urgent", "billing", "billing, urgent"), ("none", "billing", "none")]


def test_a_label_that_a_model_lacks_is_never_given():
    wide = thresholds_in_label_space(np.array([0.4]), ["urgent"], LABELS)
    assert wide.tolist() == [np.inf, np.inf, 0.4]
