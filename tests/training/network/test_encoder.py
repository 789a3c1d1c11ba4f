"""The encoder equals the lecture's equations and torch's fused modules, and padding never reaches a token."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pack_sequence, pad_packed_sequence, pad_sequence
from torch.testing import assert_close

from training.network.cells import CELLS
from training.network.connections import CONNECTIONS
from training.network.encoder import StackedEncoder
from training.network.validation import OptionError

LENGTHS = (4, 9, 1, 6)
SIZE = 6


def make(cell="lstm", *, input_size=SIZE, **options):
    torch.manual_seed(3)
    defaults = {"layers": 2, "hidden_size": 3, "bidirectional": True, "connection": "none"}
    encoder = StackedEncoder(input_size, cell=cell, **{**defaults, **options})
    for name, parameter in encoder.named_parameters():  # zero biases would hide a misplaced one
        if "bias" in name or "norms" in name:
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


GRID = pytest.mark.parametrize(
    ("cell", "connection", "bidirectional", "layers"),
    list(itertools.product(CELLS, CONNECTIONS, (True, False), (1, 2, 4, 8))),
)
NORMS = pytest.mark.parametrize("layer_norm", [False, True], ids=["plain", "norm"])


@NORMS
@GRID
def test_a_text_reads_the_same_alone_and_in_a_ragged_unsorted_batch(
    cell, connection, bidirectional, layers, layer_norm
):
    encoder = make(cell, layers=layers, bidirectional=bidirectional, connection=connection, layer_norm=layer_norm)
    rows = texts()
    if layer_norm:  # dividing by the deviation of three or six numbers can magnify a rounding tenfold in each layer
        encoder, rows = encoder.double(), [row.double() for row in rows]
    with torch.no_grad():
        together = encoder(pack(rows))
        assert len(together) == layers
        for position, row in enumerate(rows):  # one of them has a single token
            alone = encoder(pack([row]))
            for layer in range(layers):
                assert together[layer].data.shape[1] == (6 if bidirectional else 3)
                assert_close(of(together[layer], position), of(alone[layer], 0), atol=1e-6, rtol=0)


@NORMS
@GRID
def test_padding_is_zero_and_no_gradient_enters_or_leaves_it(cell, connection, bidirectional, layers, layer_norm):
    encoder = make(cell, layers=layers, bidirectional=bidirectional, connection=connection, layer_norm=layer_norm)
    padded = pad_sequence(texts(), batch_first=True, padding_value=7.0).requires_grad_()
    lengths = torch.tensor(LENGTHS)
    real = torch.arange(max(LENGTHS)) < lengths.unsqueeze(1)  # (texts, tokens)
    packed = pack_padded_sequence(padded, lengths, batch_first=True, enforce_sorted=False)
    outputs = torch.stack([pad_packed_sequence(layer, batch_first=True)[0] for layer in encoder(packed)])
    assert outputs.shape == (layers, len(LENGTHS), max(LENGTHS), 6 if bidirectional else 3)
    assert outputs[:, ~real].eq(0).all()
    trained = [padded, *encoder.parameters()]
    for gradient in torch.autograd.grad(outputs[:, ~real].sum(), trained, retain_graph=True, allow_unused=True):
        assert gradient is None or gradient.eq(0).all()
    (gradient,) = torch.autograd.grad(outputs.square().sum(), padded)
    assert gradient[~real].eq(0).all()
    assert gradient[real].abs().amax(dim=-1).gt(0).all()


@GRID
def test_training_on_texts_of_like_length_reads_what_torchs_packed_kernel_reads(
    cell, connection, bidirectional, layers
):
    # In training such texts are laid side by side (see side_by_side.py); evaluation runs torch's modules as they are.
    encoder = make(cell, layers=layers, bidirectional=bidirectional, connection=connection).double()
    lengths = (5, 4, 5, 5)
    padded = pad_sequence([row.double() for row in texts(lengths)], batch_first=True, padding_value=7.0)
    results = {}
    for mode in (True, False):
        inputs = padded.clone().requires_grad_()
        packed = pack_padded_sequence(inputs, torch.tensor(lengths), batch_first=True, enforce_sorted=False)
        outputs = torch.stack([layer.data for layer in encoder.train(mode)(packed)])
        gradients = torch.autograd.grad(outputs.square().sum(), [inputs, *encoder.parameters()], allow_unused=True)
        results[mode] = [outputs, *(gradient for gradient in gradients if gradient is not None)]
        assert gradients[0][1, 4].eq(0).all()
    for trained, evaluated in zip(results[True], results[False], strict=True):
        assert_close(trained, evaluated, atol=1e-12, rtol=1e-9)


@pytest.mark.parametrize("cell", CELLS)
def test_the_order_of_a_batch_does_not_matter(cell):
    encoder, rows = make(cell, connection="residual", layer_norm=True), texts()
    forwards, backwards = encoder(pack(rows))[-1], encoder(pack(rows[::-1]))[-1]
    for position in range(len(rows)):
        assert_close(of(forwards, position), of(backwards, len(rows) - 1 - position), atol=1e-6, rtol=0)


@pytest.mark.parametrize("cell", CELLS)
def test_texts_of_a_single_token_have_nothing_to_remember(cell):
    encoder, rows = make(cell, layers=1), texts((1, 1, 1))
    (layer,) = encoder.layers
    before = of(encoder(pack(rows))[0], 1)
    with torch.no_grad():
        for name in ("weight_hh_l0", "weight_hh_l0_reverse"):
            getattr(layer, name).mul_(100.0)  # multiplies a hidden state of zeros
    assert_close(of(encoder(pack(rows))[0], 1), before)


@pytest.mark.parametrize(("cell", "connection"), list(itertools.product(CELLS, CONNECTIONS)))
def test_a_texts_gradient_never_reaches_its_neighbors(cell, connection):
    encoder = make(cell, connection=connection)
    rows = [row.requires_grad_() for row in texts()]
    of(encoder(pack(rows))[-1], 0).sum().backward()
    assert rows[0].grad.abs().sum() > 0
    for neighbor in rows[1:]:
        assert neighbor.grad.eq(0).all()


def test_residual_adds_the_input_from_the_second_layer_on():
    encoder = make(connection="residual", input_size=5)
    rows = texts(size=5)
    first, second = encoder(pack(rows))
    raw = encoder.layers[1](first)[0]
    assert_close(second.data, first.data + raw.data)
    assert_close(first.data, encoder.layers[0](pack(rows))[0].data)


@pytest.mark.parametrize("connection", ["none", "residual"])
def test_layer_norm_stands_on_what_a_layer_reads_and_the_connection_goes_around_it(connection):
    encoder = make(connection=connection, layer_norm=True)
    batch = pack(texts(size=SIZE))
    first, second = encoder(batch)
    plain = encoder.layers[0](batch)[0].data  # the first layer reads what it is given
    assert_close(first.data, batch.data + plain if connection == "residual" else plain)
    # Ba et al. 2016, equation 3, written out in numpy.
    states = first.data.detach().double().numpy()
    deviation = np.sqrt(states.var(axis=1, keepdims=True) + 1e-5)
    norm = encoder.norms[1]
    gain, bias = norm.weight.detach().double().numpy(), norm.bias.detach().double().numpy()
    normalized = gain * (states - states.mean(axis=1, keepdims=True)) / deviation + bias
    read = PackedSequence(torch.from_numpy(normalized).float(), *first[1:])
    output = encoder.layers[1](read)[0].data
    assert_close(second.data, first.data + output if connection == "residual" else output, atol=1e-6, rtol=0)


def test_layer_norm_adds_nothing_to_a_single_layer():
    assert [name for name, _ in make(layers=1, layer_norm=True).named_parameters() if "norm" in name] == []


@pytest.mark.parametrize("cell", CELLS)
def test_sixteen_layers_still_carry_a_gradient_to_the_bottom(cell):
    encoder = make(cell, layers=16, connection="residual", layer_norm=True)
    encoder(pack(texts()))[-1].data.square().mean().backward()
    norms = [layer.weight_ih_l0.grad.norm().item() for layer in encoder.layers]
    assert all(norm > 0.01 * max(norms) for norm in norms)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": 0}, "layers is 0; expected a whole number from 1 to 16"),
        ({"layers": 17}, "layers is 17; expected a whole number from 1 to 16"),
        ({"hidden_size": 0}, "hidden_size is 0; expected a whole number at least 1"),
        ({"dropout": 1.0}, "dropout is 1.0; expected a number from 0"),
        ({"locked_dropout": -0.1}, "locked_dropout is -0.1; expected a number from 0"),
        ({"weight_drop": float("nan")}, "weight_drop is nan; expected a number from 0"),
        ({"cell": "ltsm"}, "cell is 'ltsm'; expected one of lstm, gru, rnn"),
        ({"connection": "skip"}, "connection is 'skip'; expected one of none, residual, dense, highway"),
    ],
)
def test_what_is_out_of_range_is_refused_by_name(options, message):
    with pytest.raises(OptionError, match=message):
        make(**options)


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
    (layer,) = StackedEncoder(4, cell="lstm", layers=1, hidden_size=3, bidirectional=True, connection="none").layers
    assert getattr(layer, f"bias_ih_l0{suffix}").tolist() == [0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0]
    assert getattr(layer, f"bias_hh_l0{suffix}").eq(0).all()


@pytest.mark.parametrize(("cell", "gates"), [("lstm", 4), ("gru", 3), ("rnn", 1)])
def test_recurrent_weights_start_orthogonal_gate_by_gate(cell, gates):
    (layer,) = StackedEncoder(4, cell=cell, layers=1, hidden_size=5, bidirectional=True, connection="none").layers
    for name in ("weight_hh_l0", "weight_hh_l0_reverse"):
        for gate in getattr(layer, name).chunk(gates):
            assert_close(gate @ gate.T, torch.eye(5), atol=1e-5, rtol=0)


def test_gru_has_three_quarters_of_the_lstms_parameters():
    count = {cell: sum(p.numel() for p in make(cell).parameters()) for cell in ("lstm", "gru")}
    assert count["gru"] * 4 == count["lstm"] * 3
