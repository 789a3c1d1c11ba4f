"""A teacher learns from labels of its own and from labels that stand for several of them."""

import math

import torch

from training.distillation.teacher_training import Targets

TARGETS = Targets.of(["very bad", "bad", "good"], {"any bad": ["very bad", "bad"]})
LOGITS = torch.log(torch.tensor([[0.2, 0.3, 0.5], [0.2, 0.3, 0.5], [0.6, 0.3, 0.1]]))


def test_the_loss_of_a_coarse_label_is_that_of_all_that_it_stands_for():
    losses = TARGETS.losses(LOGITS, torch.tensor([1, 3, 3]))  # bad, any bad, any bad
    expected = [-math.log(0.3), -math.log(0.2 + 0.3), -math.log(0.6 + 0.3)]
    torch.testing.assert_close(losses, torch.tensor(expected))


def test_the_loss_of_its_own_labels_is_cross_entropy():
    labels = torch.tensor([0, 2, 1])
    expected = torch.nn.functional.cross_entropy(LOGITS, labels, reduction="none")
    torch.testing.assert_close(TARGETS.losses(LOGITS, labels), expected)


def test_a_coarse_label_is_right_if_the_likeliest_is_one_of_its_own():
    assert TARGETS.right(LOGITS, torch.tensor([3, 2, 3])).tolist() == [0, 1, 1]


def test_a_coarse_label_moves_its_members_together():
    logits = torch.zeros(1, 3, requires_grad=True)
    TARGETS.losses(logits, torch.tensor([3])).sum().backward()
    very_bad, bad, good = logits.grad[0].tolist()
    assert very_bad == bad < 0 < good
    assert math.isfinite(good)
