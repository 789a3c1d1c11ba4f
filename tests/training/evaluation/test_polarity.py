"""A label's name says how positive it is, or nothing."""

import pytest

from training.evaluation.polarity import default_polarities


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["negative", "neutral", "positive"], [-1, 0, 1]),
        (["POS", "NEG"], [1, -1]),
        (["0", "1"], [-1, 1]),
        (["0", "1", "2", "3", "4"], [-1, -0.5, 0, 0.5, 1]),
        (["very_negative", "negative", "neutral", "positive", "very positive"], [-1, -0.5, 0, 0.5, 1]),
        (["joy", "negative"], [None, -1]),
    ],
)
def test_polarity_follows_from_the_labels_names(labels, expected):
    assert list(default_polarities(labels).values()) == expected
