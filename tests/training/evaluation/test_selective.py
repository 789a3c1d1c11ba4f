"""Thresholds and coverage on numbers that can be checked by hand."""

import numpy as np
import pytest

from training.evaluation.selective import choose_threshold, coverage_at, minimum_kept, risk_coverage_curve

R, W = True, False


def threshold(scores, right, *, target):
    return choose_threshold(np.array(scores), np.array(right), target=target)


def test_the_threshold_keeps_the_most_answers_that_are_right_often_enough():
    # Kept from the top: 1/1, 2/2, 3/3, 4/4, 4/5, 4/6. Of 75%, at least four must be kept; five give 80%, six 67%.
    scores, right = [0.9, 0.85, 0.8, 0.7, 0.6, 0.5], [R, R, R, R, W, W]
    assert threshold(scores, right, target=0.75) == pytest.approx(0.55)  # between 0.6, kept, and 0.5


def test_the_order_of_the_texts_does_not_matter():
    scores, right = [0.5, 0.9, 0.6, 0.8, 0.7, 0.85], [W, R, W, R, R, R]
    assert threshold(scores, right, target=0.75) == pytest.approx(0.55)


def test_accuracy_that_falls_and_rises_again_counts_where_it_is_last_high_enough():
    # From the top: 1, 1/2, 2/3, 3/4, 4/5, 4/6.
    scores, right = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4], [R, W, R, R, R, W]
    assert threshold(scores, right, target=0.75) == pytest.approx(0.45)


def test_a_target_met_exactly_is_met():
    # 19 of 20 are 95%: the twenty-first would make it 19 of 21.
    scores = np.linspace(0.99, 0.79, 21)
    right = [R] * 19 + [W, W]
    assert threshold(scores, right, target=0.95) == pytest.approx(0.795)


def test_answers_of_equal_score_are_kept_or_left_out_together():
    # Three right at 0.9; at 0.8 one right and two wrong. Five kept would be 4 of 5, but there are six at 0.8 or more.
    scores, right = [0.9, 0.9, 0.9, 0.9, 0.8, 0.8, 0.8], [R, R, R, R, R, W, W]
    assert threshold(scores, right, target=0.75) == pytest.approx(0.85)  # all seven are 5 of 7, 71%


def test_where_all_answers_are_good_enough_every_answer_is_confident():
    assert threshold([0.9, 0.8, 0.7, 0.4], [R, R, W, R], target=0.75) == 0.0


def test_where_no_threshold_reaches_the_target_there_is_none():
    assert threshold([0.9, 0.8, 0.7, 0.6, 0.5], [W, R, W, R, R], target=0.75) is None


def test_a_handful_that_is_right_by_chance_does_not_set_the_threshold():
    # The surest 3 are right, but 95% takes 20 answers to show; of the surest 20 and more, half are wrong.
    scores, right = np.linspace(0.99, 0.4, 30), [R, R, R, *[W, R] * 13, W]
    assert threshold(scores, right, target=0.95) is None
    assert threshold(scores, [R] * 20 + [W] * 10, target=0.95) is not None


@pytest.mark.parametrize(("target", "answers"), [(0.95, 20), (0.9, 10), (0.75, 4), (0.5, 2), (0.99, 100), (0.94, 17)])
def test_as_many_answers_are_needed_as_leave_room_for_one_mistake(target, answers):
    assert minimum_kept(target) == answers


def test_accuracy_at_falling_coverage():
    scores = np.array([0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55, 0.5])
    right = np.array([R, R, R, R, R, W, R, R, W, W])
    # 100%: 7 of 10. 95% is 9.5 texts, so all 10. 90%: 7 of 9. 80%: 7 of 8. 70%: 6 of 7. 50%: 5 of 5.
    found = [(point.coverage, point.threshold, point.accuracy) for point in risk_coverage_curve(scores, right)]
    assert found == [
        (1.0, 0.5, pytest.approx(7 / 10)),
        (0.95, 0.5, pytest.approx(7 / 10)),
        (0.9, 0.55, pytest.approx(7 / 9)),
        (0.8, 0.6, pytest.approx(7 / 8)),
        (0.7, 0.65, pytest.approx(6 / 7)),
        (0.5, 0.75, 1.0),
    ]


def test_what_a_threshold_keeps():
    scores, right = np.array([0.9, 0.8, 0.7, 0.6]), np.array([R, W, R, R])
    assert coverage_at(0.8, scores, right).model_dump() == {"threshold": 0.8, "coverage": 0.5, "accuracy": 0.5}
    assert coverage_at(0.95, scores, right).model_dump() == {"threshold": 0.95, "coverage": 0.0, "accuracy": None}
