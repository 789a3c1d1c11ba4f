"""Contributions are exact, whatever the network."""

import itertools

import pytest
import torch
from torch.nn.utils.rnn import pack_sequence
from torch.testing import assert_close

from training.network import SentimentNetwork
from training.network.cells import CELLS
from training.network.connections import CONNECTIONS
from training.network.embedding import QuantizedEmbedding, make_embedding
from training.network.pooling import POOLINGS
from training.network.validation import OptionError

POOLING_LISTS = (*([name] for name in POOLINGS), ["max", "mean"], list(POOLINGS))


UNKNOWN_ID = 1
NOISE = ("word_dropout", "embedding_dropout", "dropout", "locked_dropout", "weight_drop")


def make(**options):
    torch.manual_seed(0)
    embedding = make_embedding(30, 6, vectors=None, frozen=False)
    return SentimentNetwork(
        embedding, **{"labels": 3, "hidden_size": 4, "pooling": ["max", "mean"], "unknown_id": UNKNOWN_ID, **options}
    )


def ragged():
    generator = torch.Generator().manual_seed(1)
    rows = [torch.randint(0, 30, (length,), generator=generator) for length in (3, 8, 1)]
    return pack_sequence(rows, enforce_sorted=False)


@pytest.mark.parametrize("layer_norm", [False, True], ids=["plain", "norm"])
@pytest.mark.parametrize(
    ("cell", "connection", "pooling"),
    list(itertools.product(CELLS, CONNECTIONS, POOLING_LISTS)),
)
def test_contributions_plus_bias_equal_the_logits(cell, connection, pooling, layer_norm):
    network = make(cell=cell, connection=connection, pooling=pooling, layer_norm=layer_norm).eval()
    ids = ragged()
    explained = network.explain(ids)
    assert_close(explained.contributions.sum(dim=1) + network.head.bias, network(ids), atol=1e-6, rtol=0)
    assert explained.contributions[2, 1:].eq(0).all()


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_without_noise_training_reads_what_evaluation_reads(cell):
    network = make(cell=cell)
    assert_close(network.train()(ragged()), network.eval()(ragged()))


@pytest.mark.parametrize("noise", NOISE)
def test_each_noise_is_there_in_training_only(noise):
    noisy, plain = make(**{noise: 0.5}), make().eval()
    torch.manual_seed(0)
    first, second = (noisy.train()(ragged()) for _ in range(2))
    assert not first.equal(second)
    assert noisy.eval()(ragged()).equal(plain(ragged()))


@pytest.mark.parametrize("lengths", [(3, 8, 1), (4, 4)], ids=["ragged", "equal"])  # torch has a kernel for each
@pytest.mark.parametrize(
    ("cell", "connection"), list(itertools.product(("lstm", "gru", "rnn"), ("none", "residual", "dense", "highway")))
)
def test_everything_at_once_trains_in_bfloat16(cell, connection, lengths):
    options = {"pooling": ["max", "mean", "attention", "last"], "layers": 3, "layer_norm": True, "projection_size": 8}
    network = make(cell=cell, connection=connection, **options, **dict.fromkeys(NOISE, 0.1))
    ids = pack_sequence([torch.arange(length) for length in lengths], enforce_sorted=False)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = network(ids)
    logits.float().square().sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters())


@pytest.mark.parametrize("noise", NOISE)
@pytest.mark.parametrize("chance", [-0.1, 1.0, 1.5])
def test_a_chance_outside_its_range_is_refused_by_name(noise, chance):
    with pytest.raises(OptionError, match=f"{noise} is {chance}; expected a number from 0"):
        make(**{noise: chance})


def test_noise_adds_no_weights_so_that_older_checkpoints_fit():
    assert list(make(**dict.fromkeys(NOISE, 0.5)).state_dict()) == list(make().state_dict())


def test_a_quantized_table_is_off_by_half_a_step_at_most():
    vectors = torch.randn(50, 16) * torch.logspace(-3, 2, 50).unsqueeze(1)
    table = QuantizedEmbedding.from_vectors(vectors)
    off = (table(torch.arange(50)) - vectors).abs()
    assert (off <= vectors.abs().amax(dim=1, keepdim=True) / 127 / 2 * 1.0001).all()


def test_a_row_of_zeros_stays_zero():
    table = QuantizedEmbedding.from_vectors(torch.zeros(2, 4))
    assert table(torch.tensor([0, 1])).eq(0).all()


def test_a_table_knows_whether_it_was_ever_filled():
    assert QuantizedEmbedding(3, 4).is_blank
    assert not QuantizedEmbedding.from_vectors(torch.tensor([[0.0, 0.0], [0.0, 1e-9]])).is_blank
