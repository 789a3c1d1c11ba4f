"""Who scores, alone, merge_labels or together."""

import numpy as np
import pytest

from model_store import SentimentModel
from training.distillation.scorers import InferenceOptions, TeacherScorer, ensemble, load_teacher_scorer, merge_labels
from training.distillation.teacher import TeacherError, load_teacher

INFERENCE = InferenceOptions(max_tokens=24, tokens_per_batch=64, bfloat16=False)
TEXTS = ["The film was bad.", "Good soup"]


def fixed(labels, probabilities):
    return TeacherScorer(labels, "x", lambda texts: np.log(np.array([probabilities] * len(texts), dtype=np.float32)))


def test_a_transformer_scores_in_probabilities_that_sum_to_one(teacher_folder):
    scorer = load_teacher_scorer(str(teacher_folder), INFERENCE)
    logits = load_teacher(str(teacher_folder), max_tokens=24).logits(TEXTS, tokens_per_batch=64, bfloat16=False)
    found = scorer.score(TEXTS)
    np.testing.assert_allclose(np.exp(found).sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(found - found[:, :1], logits - logits[:, :1], atol=1e-5)


def test_a_bundle_of_the_project_is_a_scorer_too(tiny_bundle):
    scorer = load_teacher_scorer(str(tiny_bundle), INFERENCE)
    expected = [list(answer.scores.values()) for answer in SentimentModel.load(tiny_bundle).predict(TEXTS)]
    np.testing.assert_allclose(np.exp(scorer.score(TEXTS)), expected, atol=1e-6)


def test_merged_labels_add_up():
    scorer = merge_labels(fixed(["worst", "bad", "good"], [0.2, 0.3, 0.5]), {"worst": "bad"})
    assert scorer.labels == ["bad", "good"]
    np.testing.assert_allclose(np.exp(scorer.score(["x"])), [[0.5, 0.5]], atol=1e-6)


def test_a_merge_of_a_label_that_is_not_there_is_refused():
    with pytest.raises(TeacherError, match="--merge names awful, but the teacher's labels are bad, good"):
        merge_labels(fixed(["bad", "good"], [0.5, 0.5]), {"awful": "bad"})


def test_an_ensemble_is_the_mean_of_probabilities_label_by_label():
    scorer = ensemble([fixed(["bad", "good"], [0.2, 0.8]), fixed(["good", "bad"], [0.6, 0.4])])
    assert scorer.labels == ["bad", "good"]
    np.testing.assert_allclose(np.exp(scorer.score(["x", "y"])), [[0.3, 0.7]] * 2, atol=1e-6)


def test_an_ensemble_of_other_labels_is_refused():
    with pytest.raises(TeacherError, match="labels differ: bad, good; no, yes"):
        ensemble([fixed(["bad", "good"], [0.5, 0.5]), fixed(["no", "yes"], [0.5, 0.5])])
