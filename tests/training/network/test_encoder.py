"""The encoder equals the lecture's equations and torch's fused modules, and padding never reaches a token."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_sequence, pad_packed_sequence
from torch.testing import assert_close

from training.network.encoder import StackedEncoder

CELLS = ("lstm", "gru", "rnn")
CONNECTIONS = ("none", "residual", "dense", "highway")
LENGTHS = (4, 9, 1, 6)
SIZE = 6


def make(cell="lstm", *, layers=2, bidirectional=True, connection="none", input_size=SIZE):
    torch.manual_seed(3)
    encoder = StackedEncoder(
        input_size, cell=cell, layers=layers, hidden_size=3, bidirectional=bidirectional, connection=connection
    )
    for name, parameter in encoder.named_parameters():  # zero biases would hide a misplaced one
        if "bias" in name:
            nn.init.normal_(parameter)
    return encoder.eval()


def texts(lengths=LENGTHS, size=SIZE):
    generator = torch.Generator().manual_seed(5)
    return [torch.randn(length, size, generator=generator) for length in lengths]


def pack(rows) -> PackedSequence:
    return pack_sequence(rows, enforce_sorted=False)


def of(packed, position):
    padded, lengths = pad_packed_sequence(packed, batch_first=True)
    return padded[position, : lengths[position]]


def sigmoid(values):
    return 1 / (1 + np.exp(-values))


def lecture_lstm(inputs, weights):
    """The lecture's LSTM, gate by gate: forget, input, output gate; new content; cell; hidden state."""
    hidden = cell = np.zeros(weights["U_f"].shape[0])
    states = []
    for x in inputs:
        forget, entry, output = (
            sigmoid(weights[f"W_{g}"] @ hidden + weights[f"U_{g}"] @ x + weights[f"b_{g}"]) for g in "fio"
        )
        content = np.tanh(weights["W_c"] @ hidden + weights["U_c"] @ x + weights["b_c"])
        cell = forget * cell + entry * content
        hidden = output * np.tanh(cell)
        states.append(hidden)
    return np.array(states)


def lecture_gru(inputs, weights):
    """The GRU as torch writes it (reset gate after the product); with zero recurrent bias the lecture's own."""
    hidden = np.zeros(weights["W_z"].shape[0])
    states = []
    for x in inputs:
        update, reset = (sigmoid(weights[f"W_{g}"] @ hidden + weights[f"U_{g}"] @ x + weights[f"b_{g}"]) for g in "zr")
        content = np.tanh(
            weights["U_n"] @ x + weights["b_n"] + reset * (weights["W_n"] @ hidden + weights["recurrent_b_n"])
        )
        # Torch's z keeps what the lecture's u overwrites: h = (1 - z) * content + z * h.
        hidden = (1 - update) * content + update * hidden
        states.append(hidden)
    return np.array(states)


def gates_of(layer, suffix, order):
    named = {}
    blocks = {key: getattr(layer, f"{key}_l0{suffix}").detach().double().numpy() for key in
              ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}  # fmt: skip
    for number, gate in enumerate(order):
        rows = slice(number * layer.hidden_size, (number + 1) * layer.hidden_size)
        named[f"U_{gate}"], named[f"W_{gate}"] = blocks["weight_ih"][rows], blocks["weight_hh"][rows]
        named[f"b_{gate}"] = blocks["bias_ih"][rows] + blocks["bias_hh"][rows]
        if gate == "n":
            named["b_n"], named["recurrent_b_n"] = blocks["bias_ih"][rows], blocks["bias_hh"][rows]
    return named


@pytest.mark.parametrize(("cell", "equations", "order"), [("lstm", lecture_lstm, "ifco"), ("gru", lecture_gru, "rzn")])
def test_each_direction_follows_the_lecture(cell, equations, order):
    encoder = make(cell, layers=1)
    (layer,) = encoder.layers
    row = texts((7,))[0]
    found = of(encoder(pack([row]))[0], 0).detach().double().numpy()
    values = row.double().numpy()
    forward = equations(values, gates_of(layer, "", order))
    backward = equations(values[::-1], gates_of(layer, "_reverse", order))[::-1]
    np.testing.assert_allclose(found, np.concatenate([forward, backward], axis=1), atol=1e-6)


@pytest.mark.parametrize(("cell", "bidirectional", "layers"), list(itertools.product(CELLS, (True, False), (1, 2, 4))))
def test_without_connection_it_is_torchs_stacked_module(cell, bidirectional, layers):
    encoder = make(cell, layers=layers, bidirectional=bidirectional)
    fused = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}[cell](SIZE, 3, layers, bidirectional=bidirectional)
    with torch.no_grad():
        for number, layer in enumerate(encoder.layers):
            for name, parameter in layer.named_parameters():
                getattr(fused, name.replace("_l0", f"_l{number}")).copy_(parameter)
    batch = pack(texts())
    assert_close(encoder(batch)[-1].data, fused(batch)[0].data, atol=1e-6, rtol=0)


GRID = list(itertools.product(CELLS, CONNECTIONS, (True, False), (1, 2, 4, 8)))


@pytest.mark.parametrize(("cell", "connection", "bidirectional", "layers"), GRID)
def test_a_text_reads_the_same_alone_and_in_a_ragged_unsorted_batch(cell, connection, bidirectional, layers):
    encoder = make(cell, layers=layers, bidirectional=bidirectional, connection=connection)
    rows = texts()
    together = encoder(pack(rows))
    assert len(together) == layers
    for position, row in enumerate(rows):
        alone = encoder(pack([row]))
        for layer in range(layers):
            assert together[layer].data.shape[1] == (6 if bidirectional else 3)
            assert_close(of(together[layer], position), of(alone[layer], 0), atol=1e-6, rtol=0)


@pytest.mark.parametrize(("cell", "connection"), list(itertools.product(CELLS, CONNECTIONS)))
def test_a_texts_gradient_never_reaches_its_neighbours(cell, connection):
    encoder = make(cell, connection=connection)
    rows = [row.requires_grad_() for row in texts()]
    of(encoder(pack(rows))[-1], 0).sum().backward()
    assert rows[0].grad.abs().sum() > 0
    for neighbour in rows[1:]:
        assert neighbour.grad.eq(0).all()


def test_residual_adds_the_input_from_the_second_layer_on():
    encoder = make(connection="residual", input_size=5)
    rows = texts(size=5)
    first, second = encoder(pack(rows))
    raw = encoder.layers[1](first)[0]
    assert_close(second.data, first.data + raw.data)
    assert_close(first.data, encoder.layers[0](pack(rows))[0].data)


def test_dense_layers_read_everything_below():
    encoder = make(connection="dense", layers=3, input_size=5)
    assert [layer.input_size for layer in encoder.layers] == [5, 5 + 6, 5 + 6 + 6]


def test_a_fresh_highway_layer_mostly_carries():
    torch.manual_seed(0)
    encoder = StackedEncoder(6, cell="lstm", layers=1, hidden_size=3, bidirectional=True, connection="highway")
    gate = encoder.connections[0].gate
    # Srivastava et al. 2015, section 2.2: a negative bias. sigmoid(-2) = 0.119: 12% new, 88% carried.
    assert gate.bias.eq(-2.0).all()


@pytest.mark.parametrize("suffix", ["", "_reverse"])
def test_forget_gate_starts_open_in_both_directions(suffix):
    # Jozefowicz et al. 2015, section 2.2: a forget bias of 1. Torch adds two biases, so one of them is 0.
    (layer,) = StackedEncoder(
        4, cell="lstm", layers=1, hidden_size=3, bidirectional=True, connection="none"
    ).layers
    assert getattr(layer, f"bias_ih_l0{suffix}").tolist() == [0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0]
    assert getattr(layer, f"bias_hh_l0{suffix}").eq(0).all()


@pytest.mark.parametrize(("cell", "gates"), [("lstm", 4), ("gru", 3), ("rnn", 1)])
def test_recurrent_weights_start_orthogonal_gate_by_gate(cell, gates):
    (layer,) = StackedEncoder(
        4, cell=cell, layers=1, hidden_size=5, bidirectional=True, connection="none"
    ).layers
    for name in ("weight_hh_l0", "weight_hh_l0_reverse"):
        for gate in getattr(layer, name).chunk(gates):
            assert_close(gate @ gate.T, torch.eye(5), atol=1e-5, rtol=0)


def test_gru_has_three_quarters_of_the_lstms_parameters():
    count = {cell: sum(p.numel() for p in make(cell).parameters()) for cell in ("lstm", "gru")}
    assert count["gru"] * 4 == count["lstm"] * 3
