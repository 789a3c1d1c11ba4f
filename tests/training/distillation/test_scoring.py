"""Scores are written once: whole or not at all, and going on where they were stopped."""

import numpy as np
import pytest
from pyarrow import parquet

from training.distillation import scoring
from training.distillation.scorers import TeacherScorer
from training.distillation.scoring import ScoringError, agreement, score_texts, shared_scores
from training.distillation.texts import Text

TEXTS = [Text("one", "pos"), Text("three", None), Text("eleven", "neg"), Text("six", None), Text("seven", None)]


class Counting:
    """Scores a text by its length, notes what it was asked, and breaks at a text it is told of."""

    def __init__(self, breaks_at=None, identity="counting"):
        self.asked = []
        self.breaks_at = breaks_at
        self.identity = identity

    def score(self, texts):
        if self.breaks_at in texts:
            raise KeyboardInterrupt
        self.asked += texts
        return np.array([[-len(text), -0.5] for text in texts], dtype=np.float32)

    def scorer(self):
        return TeacherScorer(["neg", "pos"], self.identity, self.score)


@pytest.fixture(autouse=True)
def _two_texts_a_part(monkeypatch):
    monkeypatch.setattr(scoring, "TEXTS_A_PART", 2)


def test_every_text_stands_with_its_label_and_its_scores(tmp_path):
    score_texts(TEXTS, Counting().scorer(), to=tmp_path / "scores.parquet", teachers="counting")
    rows = parquet.read_table(tmp_path / "scores.parquet").to_pylist()
    assert [row["text"] for row in rows] == ["one", "three", "eleven", "six", "seven"]
    assert [row["label"] for row in rows] == ["pos", None, "neg", None, None]
    assert [row["teacher: neg"] for row in rows] == [-3, -5, -6, -3, -5]
    assert [path.name for path in tmp_path.iterdir()] == ["scores.parquet"]


def test_a_stopped_run_goes_on_and_asks_no_text_twice(tmp_path):
    to = tmp_path / "scores.parquet"
    first = Counting(breaks_at="seven")
    with pytest.raises(KeyboardInterrupt):
        score_texts(TEXTS, first.scorer(), to=to, teachers="counting")
    assert not to.exists()
    second = Counting()
    score_texts(TEXTS, second.scorer(), to=to, teachers="counting")
    assert (first.asked, second.asked) == (["one", "three", "eleven", "six"], ["seven"])
    assert parquet.read_table(to).num_rows == 5


@pytest.mark.parametrize(
    ("texts", "identity"), [(TEXTS[::-1], "counting"), (TEXTS, "another")], ids=["other texts", "another teacher"]
)
def test_parts_of_other_work_are_not_mixed_in(tmp_path, texts, identity):
    to = tmp_path / "scores.parquet"
    with pytest.raises(KeyboardInterrupt):
        score_texts(TEXTS, Counting(breaks_at="seven").scorer(), to=to, teachers="counting")
    with pytest.raises(ScoringError, match="with other texts, another teacher or other options"):
        score_texts(texts, Counting(identity=identity).scorer(), to=to, teachers="counting")


def test_agreement_counts_the_texts_with_a_label_that_the_teacher_has(tmp_path):
    # "pos" scores -0.5 and so always wins; "fair" is a label that this teacher does not know.
    texts = [*TEXTS, Text("good", "pos"), Text("so so", "fair")]
    score_texts(texts, Counting().scorer(), to=tmp_path / "scores.parquet", teachers="counting")
    assert agreement(tmp_path / "scores.parquet") == (2, 3)
    score_texts([TEXTS[1]], Counting().scorer(), to=tmp_path / "unlabelled.parquet", teachers="counting")
    assert agreement(tmp_path / "unlabelled.parquet") == (0, 0)


def test_a_group_shares_the_mean_of_its_probabilities():
    texts = [Text("a", None), Text("b", None, group=1), Text("c", None, group=1), Text("d", None, group=2)]
    scores = np.log(np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.5, 0.5]], dtype=np.float32))
    expected = [[0.9, 0.1], [0.4, 0.6], [0.4, 0.6], [0.5, 0.5]]
    np.testing.assert_allclose(np.exp(shared_scores(scores, texts)), expected, atol=1e-6)
