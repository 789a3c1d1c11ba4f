"""Texts laid side by side: where each token stands, and that a layer reads there what it reads in packed texts."""

import pytest
import torch
from torch.nn.utils.rnn import pack_sequence
from torch.testing import assert_close

from training.network import padded_kernels
from training.network.cells import CELLS
from training.network.encoder import StackedEncoder
from training.network.padded_kernels import has_bfloat16_units, pad_layout, run_padded

LIKE = (5, 4, 5, 5)


def pack(lengths, size=6, dtype=torch.float32):
    generator = torch.Generator().manual_seed(5)
    rows = [torch.randn(length, size, generator=generator).to(dtype) for length in lengths]
    return pack_sequence(rows, enforce_sorted=False)


def test_every_token_has_its_place_and_filling_repeats_the_texts_first_token():
    # "abc" and "de" pack as a d b e c, rows 0 to 4. Forwards they stand as a d / b e / c -, backwards c e / b d / a -.
    layout = pad_layout(pack((3, 2)))
    assert layout.rows.tolist() == [[0, 1, 2, 3, 4, 1], [4, 3, 2, 1, 0, 1]]
    assert layout.positions.tolist() == [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0]]


def test_much_filling_is_left_to_torch():
    assert pad_layout(pack((8, 8, 8))) is not None
    assert pad_layout(pack((8, 2, 2))) is None  # 24 positions for 12 tokens


@pytest.mark.parametrize("units", [True, False])
def test_mixed_precision_is_left_to_torch_where_the_cpu_has_no_units_for_it(monkeypatch, units):
    monkeypatch.setattr(padded_kernels, "has_bfloat16_units", lambda: units)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert (pad_layout(pack((8, 8, 8))) is not None) is units


@pytest.mark.skipif(not has_bfloat16_units(), reason="this CPU has no bfloat16 units")
@pytest.mark.parametrize("cell", CELLS)
def test_mixed_precision_differs_by_rounding_alone(cell):
    torch.manual_seed(0)
    layer, states = CELLS[cell].module(6, 3, bidirectional=True), pack(LIKE)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = run_padded(layer, states, pad_layout(states), weights=dict(layer.named_parameters())).data
    gradients = torch.autograd.grad(found.float().square().sum(), list(layer.parameters()))
    output = layer(states)[0].data
    expected = torch.autograd.grad(output.square().sum(), list(layer.parameters()))
    assert_close(found.float(), output, atol=0.02, rtol=0.02)  # bfloat16 has 8 bits: half a percent a step
    for one, other in zip(gradients, expected, strict=True):
        assert_close(one, other, atol=0.05 * float(other.abs().max()), rtol=0.05)


@pytest.mark.parametrize("lengths", [LIKE, (1,), (1, 1, 1), (7,), (4, 4)])
@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("cell", CELLS)
def test_outputs_and_gradients_are_torchs(cell, bidirectional, lengths):
    torch.manual_seed(0)
    layer, states = CELLS[cell].module(6, 3, bidirectional=bidirectional), pack(lengths)
    results = []
    for read in (
        lambda: run_padded(layer, states, pad_layout(states), weights=dict(layer.named_parameters())),
        lambda: layer(states)[0],
    ):
        output = read().data
        results.append([output, *torch.autograd.grad(output.square().sum(), list(layer.parameters()))])
    for found, expected in zip(*results, strict=True):
        assert_close(found, expected, atol=2e-6, rtol=1e-5)


@pytest.mark.parametrize("lengths", [LIKE, (8, 2, 2)])
def test_only_training_on_texts_of_like_length_is_side_by_side(lengths):
    encoder = StackedEncoder(6, cell="gru", layers=2, hidden_size=3, bidirectional=True, connection="residual")
    calls = []
    encoder.layers[0].register_forward_hook(lambda *_: calls.append("torch"))
    encoder.eval()(pack(lengths))
    encoder.train()(pack(lengths))
    assert len(calls) == (1 if lengths == LIKE else 2)
