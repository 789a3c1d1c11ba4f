"""Noise does what its paper says, to the tokens and weights it should, and is gone at zero and in evaluation."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_sequence, pad_packed_sequence
from torch.testing import assert_close

from training.network.cells import CELLS
from training.network.encoder import StackedEncoder
from training.network.padded_kernels import pad_layout, run_padded
from training.network.regularization import (
    LockedDropout,
    WordDropout,
    dropped_weights,
    read_with_weights,
    text_of_token,
)
from training.network.validation import OptionError

UNKNOWN_ID = 1
LENGTHS = (4, 9, 1, 6)
RECURRENT = ("weight_hh_l0", "weight_hh_l0_reverse")


def ones(*, lengths=LENGTHS, size=400):
    return pack_sequence([torch.ones(length, size) for length in lengths], enforce_sorted=False)


def noise(lengths=LENGTHS, size=5):
    generator = torch.Generator().manual_seed(2)
    return pack_sequence([torch.randn(length, size, generator=generator) for length in lengths], enforce_sorted=False)


def by_torch(layer, states, probability):
    return read_with_weights(layer, states, weights=dropped_weights(layer, probability))


def by_layout(layer, states, probability):
    return run_padded(layer, states, pad_layout(states), weights=dropped_weights(layer, probability))


def make_layer(cell="lstm", hidden_size=40):
    torch.manual_seed(4)
    return CELLS[cell].module(5, hidden_size, bidirectional=True)


def test_dropped_words_become_unknown_at_the_asked_rate_and_all_others_stay():
    torch.manual_seed(0)
    ids = torch.arange(2, 20_002)
    dropped = WordDropout(0.1, unknown_id=UNKNOWN_ID)(ids)
    changed = dropped != ids
    assert dropped[changed].eq(UNKNOWN_ID).all()
    # Binomial(20000, 0.1): mean 2000, standard deviation 42.
    assert abs(int(changed.sum()) - 2000) < 5 * 42


def test_words_stay_at_zero_and_in_evaluation():
    ids = torch.arange(100)
    assert WordDropout(0.0, unknown_id=None)(ids) is ids
    assert WordDropout(0.5, unknown_id=UNKNOWN_ID).eval()(ids) is ids


def test_dropping_words_needs_an_unknown_token():
    with pytest.raises(OptionError, match="the tokenizer has no unknown token"):
        WordDropout(0.1, unknown_id=None)


def test_packed_tokens_know_their_text():
    # Longest first: "aaa", "bb", "c" packs as a b c, a b, a.
    packed = pack_sequence([torch.zeros(1, 1), torch.zeros(3, 1), torch.zeros(2, 1)], enforce_sorted=False)
    assert text_of_token(packed).tolist() == [0, 1, 2, 0, 1, 0]


def test_a_locked_mask_holds_for_all_tokens_of_a_text_and_differs_between_texts():
    torch.manual_seed(0)
    padded, _ = pad_packed_sequence(LockedDropout(0.25)(ones()), batch_first=True)
    for text, length in zip(padded, LENGTHS, strict=True):
        assert text[:length].eq(text[0]).all()
        assert text[length:].eq(0).all()
    masks = padded[:, 0]  # (texts, size)
    assert len({tuple(mask.tolist()) for mask in masks}) == len(LENGTHS)
    # What is left grows by 1 / (1 - 0.25); Binomial(1600, 0.25): mean 400, standard deviation 17.
    assert_close(masks.unique(), torch.tensor([0.0, 4 / 3]))
    assert abs(int(masks.eq(0).sum()) - 400) < 5 * 17


def test_a_locked_mask_is_off_at_zero_and_in_evaluation():
    states = ones()
    assert LockedDropout(0.0)(states) is states
    assert LockedDropout(0.5).eval()(states) is states


def test_locked_dropout_reaches_the_embedded_tokens_and_every_layer():
    encoder = StackedEncoder(
        6, cell="lstm", layers=3, hidden_size=3, bidirectional=True, connection="none", locked_dropout=0.5
    )
    masked = []
    encoder.locked_dropout.register_forward_hook(lambda _module, _inputs, output: masked.append(output.data))
    encoder(noise(size=6))
    assert len(masked) == 3
    assert all(0.2 < states.eq(0).float().mean() < 0.8 for states in masked)


READINGS = [(by_torch, LENGTHS), (by_torch, (7, 7, 7)), (by_layout, (7, 6, 7))]  # each has a kernel of its own


@pytest.mark.parametrize(("read", "lengths"), READINGS)
@pytest.mark.parametrize("cell", CELLS)
def test_dropped_weights_give_what_a_module_with_those_weights_gives(cell, read, lengths):
    layer, states = make_layer(cell), noise(lengths)
    torch.manual_seed(9)
    found = read(layer, states, 0.5)
    torch.manual_seed(9)
    other = copy.deepcopy(layer)
    with torch.no_grad():
        for name in RECURRENT:
            weight = getattr(other, name)
            weight.copy_(nn.functional.dropout(weight, 0.5))
    assert_close(found.data, other(states)[0].data)


@pytest.mark.parametrize(("read", "lengths"), READINGS)
@pytest.mark.parametrize("name", RECURRENT)
@pytest.mark.parametrize("cell", CELLS)
def test_weights_are_dropped_at_the_asked_rate_in_both_directions(cell, name, read, lengths):
    layer = make_layer(cell)
    torch.manual_seed(0)
    read(layer, noise(lengths), 0.3).data.square().sum().backward()
    gradient = getattr(layer, name).grad  # a weight that was cut has none
    share = gradient.eq(0).float().mean().item()
    # Binomial(n, 0.3) has a standard deviation of sqrt(0.21 / n); n is at least 1600, so 5 of them are 0.057.
    assert share == pytest.approx(0.3, abs=0.06)
    assert layer.weight_ih_l0.grad.ne(0).all()


@pytest.mark.parametrize("lengths", [LENGTHS, (7, 6, 7)], ids=["ragged", "bucketed"])
@pytest.mark.parametrize("cell", CELLS)
def test_the_stored_weights_are_untouched_and_evaluation_equals_the_plain_module(cell, lengths):
    torch.manual_seed(1)
    options = {"cell": cell, "layers": 2, "hidden_size": 4, "bidirectional": True, "connection": "residual"}
    encoder = StackedEncoder(5, **options, weight_drop=0.5).train()
    plain = StackedEncoder(5, **options).eval()
    plain.load_state_dict(encoder.state_dict())
    states = noise(lengths)
    assert not encoder(states)[-1].data.equal(plain(states)[-1].data)
    assert all(value.equal(plain.state_dict()[name]) for name, value in encoder.state_dict().items())
    assert encoder.eval()(states)[-1].data.equal(plain(states)[-1].data)


def test_after_dropping_a_layer_holds_its_own_weights_again():
    # Torch keeps a second list of them for cuDNN; what is left in there would be copied, moved and flattened.
    layer = make_layer()
    by_torch(layer, noise(), 0.5)
    own = {id(parameter) for parameter in layer.parameters()}
    assert {id(weight) for weight in layer._flat_weights} == own
    assert {id(weight) for weights in layer.all_weights for weight in weights} == own
    copied, states = copy.deepcopy(layer).double(), noise()
    doubled = PackedSequence(states.data.double(), *states[1:])
    assert_close(copied(doubled)[0].data.float(), layer(states)[0].data)


def test_a_failing_layer_keeps_its_weights():
    layer = make_layer()
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        by_torch(layer, noise(size=3), 0.5)
    assert {id(weight) for weight in layer._flat_weights} == {id(parameter) for parameter in layer.parameters()}


@pytest.mark.parametrize("lengths", [LENGTHS, (7, 6, 7)], ids=["ragged", "bucketed"])
@pytest.mark.parametrize("cell", CELLS)
def test_training_under_weight_drop_moves_the_weights_of_both_directions(cell, lengths):
    torch.manual_seed(1)
    encoder = StackedEncoder(
        5, cell=cell, layers=2, hidden_size=4, bidirectional=True, connection="none", weight_drop=0.5
    )
    before = copy.deepcopy(encoder.state_dict())
    optimizer = torch.optim.SGD(encoder.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        encoder(noise(lengths))[-1].data.square().sum().backward()
        optimizer.step()
    for name, value in encoder.state_dict().items():
        assert not value.equal(before[name]), name


def test_a_dropped_unit_stays_zero_after_layer_norm():
    encoder = StackedEncoder(
        5, cell="lstm", layers=2, hidden_size=50, bidirectional=True, connection="none", layer_norm=True, dropout=0.5
    )
    read = []
    encoder.layers[1].register_forward_pre_hook(lambda _module, inputs: read.append(inputs[0].data))
    encoder(noise())
    assert read[0].eq(0).float().mean().item() == pytest.approx(0.5, abs=0.1)
