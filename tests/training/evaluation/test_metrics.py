"""Figures worked out by hand."""

import math

import numpy as np
import pytest

from training.evaluation.metrics import METRICS, Outcomes, by_label, compute_metrics, confusion, with_intervals

SCORES = np.array([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.3, 0.5, 0.2], [0.0, 0.1, 0.9]])
LABELS = np.array([0, 2, 0, 2])


def evaluate(scores, labels, *, polarities):
    """Each figure's value and number of texts."""
    found = with_intervals(Outcomes.of_scores(scores, labels, polarities=polarities))
    return {name: (figure.value, figure.rows) for name, figure in found.items()}


def sklearn_f1(true, predicted, *, labels):
    metrics = pytest.importorskip("sklearn.metrics", reason="the extra distill is not installed")
    return metrics.f1_score(true, predicted, labels=labels, average="macro")


def test_accuracy_and_f1():
    measured = evaluate(SCORES, LABELS, polarities=[None, None, None])
    assert measured["accuracy"] == (0.5, 4)  # first and last
    # F1: negative 2/3 (precision 1, recall 1/2), positive 2/3; neutral was predicted but never true.
    assert measured["macro_f1"][0] == pytest.approx((2 / 3 + 2 / 3) / 2)
    assert measured["macro_f1"][0] == pytest.approx(sklearn_f1(LABELS, [0, 1, 1, 2], labels=[0, 2]))
    assert "polar_accuracy" not in measured


def test_one_answer_with_a_label_that_no_text_has_moves_macro_f1_by_one_text():
    # 200 texts of two labels, 180 right, one of the others called neutral: resamples with and without it differ little.
    true = np.repeat([0, 2], 100)
    predicted = true.copy()
    predicted[90:100], predicted[190:200], predicted[99] = 2, 0, 1
    measured = with_intervals(Outcomes.of_scores(np.eye(3)[predicted], true, polarities=[None] * 3))["macro_f1"]
    assert measured.value == pytest.approx(sklearn_f1(true, predicted, labels=[0, 2]))
    assert measured.value == pytest.approx(0.9, abs=0.01)
    assert 0.8 < measured.low < measured.high < 0.96


def test_a_label_neither_true_nor_predicted_is_in_no_average():
    scores = np.array([[0.9, 0.0, 0.1], [0.2, 0.0, 0.8]])
    assert evaluate(scores, np.array([0, 2]), polarities=[None] * 3)["macro_f1"][0] == 1.0


def test_polar_accuracy_leaves_neutral_out_of_texts_and_scores():
    labels = np.array([0, 2, 1, 2])
    # Rows 0, 1, 3 are polar: 0.7 > 0.1, 0.3 > 0.1, 0.9 > 0.0, all as labeled.
    assert evaluate(SCORES, labels, polarities=[-1, 0, 1])["polar_accuracy"] == (1.0, 3)


def test_polar_accuracy_adds_up_the_shades():
    # "negative" has the highest score, but the two positive labels outweigh it together: 0.3 + 0.3 > 0.4.
    scores = np.array([[0.4, 0.3, 0.3], [0.6, 0.2, 0.2]])
    measured = evaluate(scores, np.array([1, 2]), polarities=[-1, 0.5, 1])
    assert measured["accuracy"] == (0.0, 2)
    assert measured["polar_accuracy"] == (0.5, 2)


def test_calibration_error_is_the_gap_between_confidence_and_accuracy():
    scores = np.array([[0.8, 0.2]] * 10)
    labels = np.array([0] * 6 + [1] * 4)
    assert evaluate(scores, labels, polarities=[None, None])["calibration_error"][0] == pytest.approx(0.2, abs=1e-6)


def test_calibration_gaps_of_different_bins_do_not_cancel():
    # Half the texts are wholly sure and right half the time (gap 0.5), half are 0.6 sure and always right (gap 0.4).
    scores = np.array([[1.0, 0.0]] * 4 + [[0.6, 0.4]] * 4)
    labels = np.array([0, 0, 1, 1, 0, 0, 0, 0])
    assert evaluate(scores, labels, polarities=[None] * 2)["calibration_error"][0] == pytest.approx(0.45)


def test_confusion_has_a_row_for_the_truth_and_a_column_for_the_answer():
    # Predicted: 0, 1, 1, 2 for true 0, 2, 0, 2.
    measured = Outcomes.of_scores(SCORES, LABELS, polarities=[None] * 3)
    assert confusion(measured).tolist() == [[1, 1, 0], [0, 0, 0], [0, 1, 1]]


def test_a_label_without_texts_has_no_recall_and_one_never_predicted_no_precision():
    scores = np.array([[0.6, 0.4, 0.0], [0.2, 0.8, 0.0]])
    low, middle, high = by_label(
        Outcomes.of_scores(scores, np.array([0, 0]), polarities=[None] * 3), ["low", "middle", "high"]
    )
    assert (low.precision, low.recall, low.f1, low.support) == (1.0, 0.5, pytest.approx(2 / 3), 2)
    assert (middle.precision, middle.recall, middle.f1, middle.support) == (0.0, None, 0.0, 0)
    assert (high.precision, high.recall, high.f1, high.support) == (None, None, None, 0)


def test_the_interval_of_accuracy_is_the_binomials():
    # Accuracy of 1,821 texts at 88%: the normal approximation's interval is +-1.96 sqrt(p (1 - p) / n), 1.49 points.
    size, right = 1821, 1602
    scores = np.array([[0.9, 0.1]] * size)
    measured = with_intervals(
        Outcomes.of_scores(scores, np.array([0] * right + [1] * (size - right)), polarities=[None] * 2), seed=3
    )["accuracy"]
    value = right / size
    half = 1.96 * math.sqrt(value * (1 - value) / size)
    assert measured.value == pytest.approx(value)
    assert measured.low == pytest.approx(value - half, abs=0.0015)
    assert measured.high == pytest.approx(value + half, abs=0.0015)
    assert measured.rows == size


def test_intervals_depend_on_the_seed_alone_and_hold_their_figure():
    generator = np.random.default_rng(1)
    measured = Outcomes.of_scores(
        generator.dirichlet([1, 1, 1], 300), generator.integers(0, 3, 300), polarities=[-1, 0, 1]
    )
    first = with_intervals(measured, seed=0)
    assert with_intervals(measured, seed=0) == first
    assert with_intervals(measured, seed=1) != first
    # Not the calibration error: resampling only ever adds gaps, so its interval leans upwards.
    for name in ("accuracy", "macro_f1", "polar_accuracy"):
        assert first[name].low < first[name].value < first[name].high


def test_a_resample_without_a_polar_text_is_left_out_of_polar_accuracy():
    scores = np.array([[0.1, 0.8, 0.1], [0.2, 0.3, 0.5]])
    figure = with_intervals(Outcomes.of_scores(scores, np.array([1, 2]), polarities=[-1, 0, 1]))["polar_accuracy"]
    assert (figure.value, figure.low, figure.high, figure.rows) == (1.0, 1.0, 1.0, 1)


def test_a_metric_of_the_table_is_measured_wherever_it_applies():
    without_polarity = Outcomes.of_scores(SCORES, LABELS, polarities=[None] * 3)
    assert set(compute_metrics(without_polarity)) == set(METRICS)
    assert math.isnan(compute_metrics(without_polarity)["polar_accuracy"])
    assert set(with_intervals(without_polarity)) == set(METRICS) - {"polar_accuracy"}
