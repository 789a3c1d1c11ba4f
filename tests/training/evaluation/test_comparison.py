"""Two models on the same texts: figures worked out by hand, and by SciPy."""

import math

import numpy as np
import pytest

from training.data.examples import Example
from training.evaluation.comparison import compare, differences, in_label_space, mcnemar
from training.evaluation.metrics import Outcomes

LABELS = ["bad", "good"]
BAD, GOOD = [0.9, 0.1], [0.2, 0.8]


def examples(*labels):
    return [Example(f"text {line}", label, line) for line, label in enumerate(labels, start=1)]


def outcomes(predicted, true):
    scores = np.eye(2)[predicted] * 0.8 + 0.1
    return Outcomes.of_scores(scores, np.array(true), polarities=[None, None])


def test_mcnemar_is_a_fair_coins_two_sided_p_value():
    assert mcnemar(0, 0) == 1.0
    assert mcnemar(5, 5) == 1.0
    assert mcnemar(1, 9) == pytest.approx(2 * (1 + 10) / 2**10)
    assert mcnemar(9, 1) == mcnemar(1, 9)


@pytest.mark.parametrize(("first", "second"), [(3, 12), (40, 61), (1000, 1100), (4000, 4300)])
def test_mcnemar_equals_scipys_binomial_test(first, second):
    stats = pytest.importorskip("scipy.stats", reason="the extra distill is not installed")
    assert mcnemar(first, second) == pytest.approx(stats.binomtest(first, first + second).pvalue, rel=1e-9)


def test_the_interval_of_a_paired_difference_is_that_of_correlated_proportions():
    # 1,000 texts: both right on 800, only the first on 40, only the second on 80, neither on 80.
    # Variance of the difference: ((b + c) - (b - c)^2 / n) / n^2, with b and c the texts that only one gets right.
    first = outcomes([1] * 840 + [0] * 160, [1] * 1000)
    second = outcomes([1] * 800 + [0] * 40 + [1] * 80 + [0] * 80, [1] * 1000)
    half = 1.96 * math.sqrt(40 + 80 - (80 - 40) ** 2 / 1000) / 1000
    found = differences(first, second)["accuracy"]
    assert found.value == pytest.approx(0.04)
    assert (found.low, found.high) == pytest.approx((0.04 - half, 0.04 + half), abs=0.003)
    assert found.verdict == "better"
    assert differences(second, first)["accuracy"].verdict == "worse"
    assert differences(first, first)["accuracy"].verdict == "not distinguishable"


def test_flips_are_the_texts_with_another_label_surest_first():
    first = np.array([BAD, BAD, GOOD, GOOD, GOOD])
    second = np.array([GOOD, BAD, BAD, GOOD, [np.nan, np.nan]])
    found = compare(examples("good", "bad", "good", "bad", "bad"), (first, second), LABELS, max_flips=9)
    assert (found.rows, found.without_tokens) == (4, 1)
    apart = found.disagreements
    assert (apart.only_first, apart.only_second, apart.both_wrong, apart.p_value) == (1, 1, 0, 1.0)
    assert [(flip.line, flip.first, flip.second, flip.second_score) for flip in found.flips] == [
        (3, "good", "bad", 0.9),
        (1, "bad", "good", 0.8),
    ]
    assert (found.first["accuracy"].value, found.second["accuracy"].value) == (0.5, 0.5)


def test_a_model_gives_a_label_that_it_lacks_no_score():
    scores = np.array([[0.7, 0.3], [np.nan, np.nan]])
    wide = in_label_space(scores, ["good", "bad"], ["bad", "neutral", "good"])
    assert wide[0].tolist() == [0.3, 0.0, 0.7]
    assert np.isnan(wide[1]).all()
