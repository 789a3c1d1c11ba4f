"""Accuracy by length, on files whose groups can be counted by hand."""

import numpy as np
import pytest

from training.evaluation.length_groups import length_groups
from training.evaluation.metrics import Outcomes

POLARITIES = (-1.0, 0.0, 1.0)


def outcomes(true: list[int], predicted: list[int], polarities: tuple[float | None, ...] = POLARITIES) -> Outcomes:
    scores = np.eye(3)[predicted] * 0.8 + 0.1
    return Outcomes.of_scores(scores, np.array(true), polarities=polarities)


def test_groups_have_equal_size_and_run_from_the_shortest_texts_to_the_longest():
    words = np.array([800, 100, 700, 200, 600, 300, 500, 400])
    groups = list(length_groups(outcomes([2] * 8, [2, 2, 0, 0, 2, 2, 2, 2]), words, data="reviews"))
    assert [(group.shortest, group.longest, group.rows) for group in groups] == [
        (100, 200, 2), (300, 400, 2), (500, 600, 2), (700, 800, 2),
    ]  # fmt: skip
    assert [group.value for group in groups] == [0.5, 1.0, 1.0, 0.5]
    assert {group.metric for group in groups} == {"polar_accuracy"}
    assert all(group.low < group.value < group.high or group.value == 1 for group in groups)


def test_a_neutral_text_does_not_count_in_a_polar_figure():
    words = np.arange(5) + 200
    groups = list(length_groups(outcomes([2, 1, 0, 2, 0], [2, 2, 0, 2, 2]), words, data="reviews"))
    assert [(group.shortest, group.value) for group in groups] == [(200, 1.0), (202, 1.0), (203, 1.0), (204, 0.0)]
    assert {group.metric for group in groups} == {"polar_accuracy"}


def test_labels_without_polarity_are_measured_by_accuracy():
    groups = list(length_groups(outcomes([0, 1, 2, 0], [0, 1, 1, 0], (None, None, None)), np.arange(4) + 200, data="x"))
    assert [(group.metric, group.value) for group in groups] == [
        ("accuracy", 1.0), ("accuracy", 1.0), ("accuracy", 0.0), ("accuracy", 1.0),
    ]  # fmt: skip


@pytest.mark.parametrize("words", [[20] * 8, [500, 600]])
def test_a_file_of_sentences_or_of_a_few_texts_has_no_groups(words: list[int]):
    assert not list(length_groups(outcomes([2] * len(words), [2] * len(words)), np.array(words), data="x"))
