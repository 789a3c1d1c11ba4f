"""The head, fitted before everything else."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn
from torch.testing import assert_close

from training.data import tokenization
from training.data.tokenized import UNLABELED, TokenizedExamples
from training.fit.head_start import fit_head, fit_linear
from training.fit.task import SentimentTask


def data(labels=3, texts=120, size=5):
    generator = torch.Generator().manual_seed(3)
    centers = torch.randn(labels, size, generator=generator)
    numbers = torch.arange(texts) % labels
    return centers[numbers] + torch.randn(texts, size, generator=generator), numbers


def zero_head(size=5, labels=3):
    head = nn.Linear(size, labels)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    return head


def test_from_zero_it_is_the_logistic_regression_of_scikit_learn():
    pooled, labels = data()
    head = zero_head()
    fit_linear(head, pooled, labels, label_weights=None, pull=2.0)
    # scikit-learn minimizes C times the summed loss plus half the squared weights: C is 1 / pull.
    expected = LogisticRegression(C=1 / 2.0, tol=1e-8, max_iter=5000).fit(pooled.numpy(), labels.numpy())
    scores = (pooled @ head.weight.T + head.bias).softmax(dim=1).detach().numpy()
    np.testing.assert_allclose(scores, expected.predict_proba(pooled.numpy()), atol=2e-3)


def test_label_weights_are_those_of_scikit_learn():
    pooled, labels = data()
    pooled, labels = pooled[:70], torch.where(torch.arange(70) < 60, labels[:70] % 2, 2)
    counts = torch.bincount(labels)
    head = zero_head()
    fit_linear(head, pooled, labels, label_weights=len(labels) / (3 * counts), pull=1.0)
    expected = LogisticRegression(C=1.0, tol=1e-8, max_iter=5000, class_weight="balanced")
    expected.fit(pooled.numpy(), labels.numpy())
    scores = (pooled @ head.weight.T + head.bias).softmax(dim=1).detach().numpy()
    np.testing.assert_allclose(scores, expected.predict_proba(pooled.numpy()), atol=2e-3)


def test_a_strong_pull_keeps_the_weights_it_had():
    pooled, labels = data()
    head = nn.Linear(5, 3)
    before = head.weight.detach().clone()
    fit_linear(head, pooled, labels, label_weights=None, pull=1e7)
    assert_close(head.weight.detach(), before, atol=1e-4, rtol=0)


@pytest.mark.parametrize("class_weights", ["none", "balanced"])
def test_only_the_head_changes_and_unlabeled_texts_do_not_matter(class_weights):
    torch.manual_seed(1)
    pipeline = tokenization.word_pipeline(["cold", "warm", "tea"]).to_str()
    options = {"embedding_size": 4, "hidden_size": 3, "layers": 1, "class_weights": class_weights}
    task = SentimentTask(["bad", "good"], pipeline, **options)
    twin = SentimentTask(["bad", "good"], pipeline, **options)
    twin.load_state_dict(task.state_dict())
    before = {name: value.clone() for name, value in task.state_dict().items()}
    labeled = [[2, 4], [3, 4], [2], [3, 3], [4, 2]]
    fit_head(task, TokenizedExamples.of(labeled, [0, 1, 0, 1, 0]))
    fit_head(twin, TokenizedExamples.of([*labeled, [4]], [0, 1, 0, 1, 0, UNLABELED]))
    changed = [name for name, value in task.state_dict().items() if not torch.equal(value, before[name])]
    assert changed == ["network.head.weight", "network.head.bias"]
    assert_close(task.network.head.weight, twin.network.head.weight, atol=1e-4, rtol=1e-3)
    assert task.training
