"""Every pooling is a sum of parts, each owed to one token."""

import itertools

import pytest
import torch
from torch.testing import assert_close

from training.network.pooling import Pooling

NAMES = ("max", "mean", "attention", "last")
STATES = torch.tensor([[[1.0, -5.0], [3.0, -7.0], [2.0, -6.0]], [[-1.0, 4.0], [9.0, 9.0], [9.0, 9.0]]])
MASK = torch.tensor([[True, True, True], [True, False, False]])


def pool(*names):
    torch.manual_seed(0)
    return Pooling(list(names), 2, bidirectional=True)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("max", [[3.0, -5.0], [-1.0, 4.0]]),
        ("mean", [[2.0, -6.0], [-1.0, 4.0]]),
        ("last", [[2.0, -5.0], [-1.0, 4.0]]),  # forward unit of the last token, backward unit of the first
    ],
)
def test_values_worked_out_by_hand(name, expected):
    assert_close(pool(name)(STATES, MASK), torch.tensor(expected))


def test_equal_attention_is_the_mean():
    pooling = pool("attention")
    torch.nn.init.zeros_(pooling.poolings[0].score.weight)
    assert_close(pooling(STATES, MASK), pool("mean")(STATES, MASK))


def test_max_belongs_to_the_first_token_that_reaches_it():
    states = torch.tensor([[[1.0, 0.0], [1.0, 2.0]]])
    parts = pool("max").parts(states, torch.ones(1, 2, dtype=torch.bool))
    assert parts.tolist() == [[[1.0, 0.0], [0.0, 2.0]]]


COMBINATIONS = [names for size in (1, 2, 4) for names in itertools.combinations(NAMES, size)]


@pytest.mark.parametrize("names", COMBINATIONS)
def test_parts_sum_to_the_pooled_vector_and_padding_has_none(names):
    pooling = pool(*names)
    parts = pooling.parts(STATES, MASK)
    assert_close(parts.sum(dim=1), pooling(STATES, MASK))
    assert parts[~MASK].eq(0).all()


@pytest.mark.parametrize("names", [[], ["max", "max"]])
def test_nothing_and_repetition_are_refused(names):
    with pytest.raises(ValueError, match="distinct names of max, mean, attention, last"):
        Pooling(names, 2, bidirectional=True)
