"""Contributions are exact, whatever the network."""

import itertools

import pytest
import torch
from torch.nn.utils.rnn import pack_sequence
from torch.testing import assert_close

from training.network import SentimentNetwork
from training.network.embedding import QuantizedEmbedding, make_embedding

POOLINGS = (["max"], ["mean"], ["attention"], ["last"], ["max", "mean"], ["max", "mean", "attention", "last"])


@pytest.mark.parametrize(
    ("cell", "connection", "pooling"),
    list(itertools.product(("lstm", "gru", "rnn"), ("none", "residual", "dense", "highway"), POOLINGS)),
)
def test_contributions_plus_bias_equal_the_logits(cell, connection, pooling):
    torch.manual_seed(0)
    network = SentimentNetwork(
        make_embedding(30, 6, vectors=None, frozen=False),
        labels=3, cell=cell, connection=connection, hidden_size=4, pooling=pooling,
    ).eval()  # fmt: skip
    ids = pack_sequence([torch.randint(0, 30, (length,)) for length in (3, 8, 1)], enforce_sorted=False)
    explained = network.explain(ids)
    assert_close(explained.contributions.sum(dim=1) + network.head.bias, network(ids), atol=1e-6, rtol=0)
    assert explained.contributions[2, 1:].eq(0).all()


def test_a_quantized_table_is_off_by_half_a_step_at_most():
    vectors = torch.randn(50, 16) * torch.logspace(-3, 2, 50).unsqueeze(1)
    table = QuantizedEmbedding.from_vectors(vectors)
    off = (table(torch.arange(50)) - vectors).abs()
    assert (off <= vectors.abs().amax(dim=1, keepdim=True) / 127 / 2 * 1.0001).all()


def test_a_row_of_zeros_stays_zero():
    table = QuantizedEmbedding.from_vectors(torch.zeros(2, 4))
    assert table(torch.tensor([0, 1])).eq(0).all()
