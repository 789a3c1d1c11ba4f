"""The mean of two teachers, of which the second has scored some of the texts."""

import numpy as np
import pytest
from pyarrow import parquet

from training.distillation.scoring import read_scores, write_scores
from training.distillation.texts import Text
from training.recipes.default.averaging import average_teachers

TEXTS = [
    Text("It was long.", None),
    Text("My Irish neighbor liked it.", None, group=1),
    Text("My Kenyan neighbor liked it.", None, group=1),
    Text("A whole review.", None),
]
FIVE = ["very bad", "bad", "neutral", "good", "very good"]
THREE = ["bad", "neutral", "good"]
MERGE = {"very bad": "bad", "very good": "good"}


@pytest.fixture
def averaged(tmp_path):
    first, second, to = (tmp_path / f"{name}.parquet" for name in ("first", "second", "averaged"))
    own = np.array(
        [[0.1, 0.2, 0.5, 0.1, 0.1], [0.1, 0.1, 0.2, 0.2, 0.4], [0.1, 0.1, 0.2, 0.2, 0.4], [0.2, 0.2, 0.2, 0.2, 0.2]]
    )
    write_scores(TEXTS, np.log(own).astype(np.float32), FIVE, to=first, teachers="")
    known = np.array([[0.1, 0.1, 0.8], [0.7, 0.1, 0.2]])
    order = ["good", "neutral", "bad"]  # another order than the first teacher's
    write_scores([TEXTS[1], TEXTS[0]], np.log(known).astype(np.float32), order, to=second, teachers="")
    average_teachers(TEXTS, first, second=second, merge=MERGE, to=to)
    labels, scores = read_scores(to)
    return np.exp(scores)[:, [labels.index(label) for label in THREE]], parquet.read_table(to)


def test_probabilities_are_averaged_where_both_have_scored(averaged):
    probabilities, _ = averaged
    np.testing.assert_allclose(probabilities[0], [(0.3 + 0.2) / 2, (0.5 + 0.1) / 2, (0.2 + 0.7) / 2], atol=1e-6)


def test_a_copy_with_another_term_takes_the_score_of_its_original(averaged):
    probabilities, _ = averaged
    np.testing.assert_allclose(probabilities[1:3], [[(0.2 + 0.8) / 2, (0.2 + 0.1) / 2, (0.6 + 0.1) / 2]] * 2, atol=1e-6)


def test_other_texts_keep_the_first_teachers_score(averaged):
    probabilities, table = averaged
    np.testing.assert_allclose(probabilities[3], [0.4, 0.2, 0.4], atol=1e-6)
    assert table.column("text").to_pylist() == [text.text for text in TEXTS]
