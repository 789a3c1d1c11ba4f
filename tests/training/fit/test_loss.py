"""What training minimizes, against sums done by hand."""

import math

import pytest
import torch
from torch.nn.functional import cross_entropy
from torch.testing import assert_close

from training.data.tokenized import UNLABELED
from training.fit.objective import ONE_LABEL, SeveralLabels
from training.fit.task import training_loss

LOGITS = torch.tensor([[2.0, 0.0, 1.0], [0.0, 0.0, 3.0]])
LABELS = torch.tensor([0, 2])
NOTHING = [math.nan] * 3


def test_without_a_teacher_it_is_cross_entropy():
    assert_close(training_loss(LOGITS, LABELS, None), cross_entropy(LOGITS, LABELS))
    smoothed = training_loss(LOGITS, LABELS, None, label_smoothing=0.1)
    assert_close(smoothed, cross_entropy(LOGITS, LABELS, label_smoothing=0.1))


def test_a_text_without_a_label_adds_its_distance_to_the_teacher():
    # Centered, the first text's logits are 1, -1, 0 and its teacher's 0, 0, 0: (1 + 1 + 0) / 3, over two texts.
    teacher = torch.tensor([[-5.0, -5.0, -5.0], NOTHING])
    labels = torch.tensor([UNLABELED, 2])
    own = cross_entropy(LOGITS[1:], LABELS[1:])
    assert_close(training_loss(LOGITS, labels, teacher), (2 / 3 + own) / 2)
    assert_close(training_loss(LOGITS, labels, teacher, teacher_weight=3.0), (3 * 2 / 3 + own) / 2)


def test_a_text_with_both_adds_both():
    teacher = torch.tensor([[1.0, 1.0, 1.0], NOTHING])
    expected = (cross_entropy(LOGITS, LABELS, reduction="sum") + 2 / 3) / 2
    assert_close(training_loss(LOGITS, LABELS, teacher), expected)


def test_a_teacher_that_agrees_but_for_a_constant_adds_nothing():
    labels = torch.full((2,), UNLABELED)
    assert_close(training_loss(LOGITS, labels, LOGITS.log_softmax(dim=1)), torch.tensor(0.0), atol=1e-12, rtol=0)


def test_what_no_teacher_scored_sends_no_gradient_that_is_not_a_number():
    logits = LOGITS.clone().requires_grad_()
    training_loss(logits, torch.tensor([UNLABELED, UNLABELED]), torch.tensor([NOTHING, [0.0, 0.0, 0.0]])).backward()
    assert logits.grad[0].eq(0).all()
    assert logits.grad[1].isfinite().all()
    assert logits.grad[1].abs().sum() == pytest.approx(2 / 3 / 2 * (1 + 1 + 2), rel=1e-6)


def test_label_weights_multiply_the_cross_entropy_of_their_texts():
    weights = torch.tensor([0.5, 1.0, 2.0])
    each = cross_entropy(LOGITS, LABELS, reduction="none")
    assert_close(training_loss(LOGITS, LABELS, None, label_weights=weights), (0.5 * each[0] + 2.0 * each[1]) / 2)


def test_balanced_weights_are_the_number_of_texts_over_labels_and_their_counts():
    # scikit-learn's "balanced": n / (k * n_label), here 100 / (2 * 80) and 100 / (2 * 20).
    labels = torch.tensor([0] * 80 + [2] * 20)
    assert_close(ONE_LABEL.balanced(labels, 3), torch.tensor([0.625, 0.0, 2.5]))


def test_any_number_of_labels_is_a_yes_or_no_for_each():
    # Logits 2, 0, 1 against yes, no, no: log(1 + e^-2) + log 2 + log(1 + e^1).
    sets = torch.tensor([[True, False, False], [False, False, False]])
    own = [math.log1p(math.exp(-2)) + math.log(2) + math.log1p(math.e), 2 * math.log(2) + math.log1p(math.exp(3))]
    assert_close(SeveralLabels().losses(LOGITS, sets), torch.tensor(own))
    assert_close(training_loss(LOGITS, sets, None, objective=SeveralLabels()), torch.tensor(sum(own) / 2))
    weighted = [5 * math.log1p(math.exp(-2)) + math.log(2) + math.log1p(math.e), own[1]]
    assert_close(SeveralLabels().losses(LOGITS, sets, weights=torch.tensor([5.0, 1.0, 1.0])), torch.tensor(weighted))


def test_balanced_labels_weigh_as_much_with_as_without():
    sets = torch.tensor([[True, False, True], [False, False, True], [False, False, True], [False, False, True]])
    # One text with the first label for three without; none has the second and all have the third, so they stay.
    assert_close(SeveralLabels().balanced(sets, 3), torch.tensor([3.0, 1.0, 1.0]))
