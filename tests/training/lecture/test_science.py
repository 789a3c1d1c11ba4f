"""Where a claim is exact, the experiment finds exactly it."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_sequence
from torch.testing import assert_close

from training.lecture import brackets, linear, one_unit
from training.lecture.bidirectionality import compare
from training.lecture.lstm_against_gru import make_variants
from training.lecture.sentences import new_network, read_sentences
from training.lecture.settings import ModelOptions, Settings
from training.lecture.symbols import SymbolReader, take_step
from training.lecture.unrolled import gradient_norms, read_step_by_step
from training.network.cells import CELLS


@pytest.fixture(scope="module")
def sentences():
    return read_sentences(Settings())


@pytest.mark.parametrize("radius", [0.7, 0.99, 1.0, 1.15])
def test_a_linear_gradient_decays_at_the_largest_eigenvalues_modulus(radius):
    decay = linear.measure_decay(radius, seed=4, sizes=linear.LinearSizes(units=24, steps=800, settled=200))
    assert decay.rate == pytest.approx(radius, rel=0.01)
    assert decay.difference < 1e-9


def test_the_spectral_radius_of_a_known_matrix():
    rotation = torch.tensor([[0.0, -3.0], [3.0, 0.0]])  # eigenvalues 3i and -3i
    assert linear.spectral_radius(rotation) == pytest.approx(3.0)


@pytest.mark.parametrize(("cell", "backward"), list(itertools.product(CELLS, (False, True))))
def test_reading_step_by_step_gives_the_fused_modules_states(cell, backward):
    torch.manual_seed(1)
    layer = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}[cell](3, 5, bidirectional=True)
    inputs = torch.randn(7, 2, 3)
    fused = layer(inputs)[0][..., 5:].flip(0) if backward else layer(inputs)[0][..., :5]
    assert_close(torch.stack(read_step_by_step(layer, inputs, backward=backward).hidden), fused)


def test_the_gradient_through_time_is_the_product_of_jacobians():
    # One tanh unit: dh(i)/dh(j) is the product of w * (1 - h(t)^2) over t = j + 1 ... i.
    layer = nn.RNN(1, 1)
    states = read_step_by_step(layer, torch.randn(5, 1, 1)).hidden
    norms = gradient_norms(states[-1].sum(), states)[:, 0]
    factors = [abs(float((layer.weight_hh_l0 * (1 - state**2)).detach())) for state in states]
    expected = np.cumprod([1.0, *factors[:0:-1]])
    assert norms.tolist() == pytest.approx(expected.tolist(), rel=1e-5)


def test_each_text_gets_its_own_gradient():
    torch.manual_seed(2)
    layer, inputs = nn.GRU(3, 4), torch.randn(6, 2, 3)
    together = read_step_by_step(layer, inputs).hidden
    alone = read_step_by_step(layer, inputs[:, 1:]).hidden
    norms = gradient_norms(together[-1].pow(2).sum(), together)[:, 1]
    assert_close(norms, gradient_norms(alone[-1].pow(2).sum(), alone)[:, 0])


def test_clipping_is_the_lectures_algorithm_1():
    # |(3, 4)| = 5: above the threshold it becomes 2 * (0.6, 0.8); at (0.3, 0.4) it stays.
    gradients = torch.tensor([[3.0, 4.0], [0.3, 0.4]])
    assert_close(one_unit.clipped(gradients, 2.0), torch.tensor([[1.2, 1.6], [0.3, 0.4]]))


def test_training_clips_by_the_norm_over_all_parameters():
    # Gradients (3,) and (4,) have norm 5; clipped at 1 they are 0.6 and 0.8, and a step at rate 1 takes them away.
    one, other = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))
    norm = take_step(torch.optim.SGD([one, other], lr=1.0), (3 * one + 4 * other).sum(), [one, other], clip=1.0)
    assert norm == pytest.approx(5.0)
    assert one.item() == pytest.approx(-0.6, abs=1e-5)
    assert other.item() == pytest.approx(-0.8, abs=1e-5)


def test_without_a_threshold_nothing_is_clipped():
    one = nn.Parameter(torch.zeros(1))
    take_step(torch.optim.SGD([one], lr=1.0), 300 * one.sum(), [one], clip=None)
    assert one.item() == -300.0


def test_the_one_unit_network_by_hand():
    # With w = 0 the state is b at every step: at b = 0 the loss is (0.5 - 0.7)^2, and its slope along b is
    # 2 * (0.5 - 0.7) * 0.25.
    losses, gradients = one_unit.gradient_at(torch.tensor([[0.0, 0.0]], dtype=torch.float64))
    assert float(losses) == pytest.approx(0.04)
    assert float(gradients[0, 1]) == pytest.approx(-0.1)


def test_a_clipped_descent_never_steps_further_than_rate_times_threshold():
    starts = one_unit.random_starts(50, seed=1)
    descents = one_unit.descend(starts, steps=50, learning_rate=0.5, threshold=0.2)
    assert float(descents.longest_steps().max()) <= 0.5 * 0.2 + 1e-12


def test_an_lstm_set_by_hand_counts_to_a_thousand():
    reader = SymbolReader("lstm", symbols=brackets.SYMBOLS, hidden_size=1, classes=brackets.SYMBOLS)
    brackets.set_by_hand(reader)
    assert all(brackets.is_right(reader, n) for n in (1, 2, 3, 10, 99, 100, 1000))
    states = read_step_by_step(reader.encoder.layers[0], reader.vectors(brackets.text(1000).unsqueeze(1)))
    assert_close(torch.stack(states.cells)[:, 0, 0], brackets.balance(1000), atol=1e-2, rtol=0)


def test_a_reader_that_cannot_count_is_not_right():
    reader = SymbolReader("lstm", symbols=brackets.SYMBOLS, hidden_size=1, classes=brackets.SYMBOLS)
    brackets.set_by_hand(reader)
    with torch.no_grad():
        reader.encoder.layers[0].bias_ih_l0[1] = 0.0  # a half-open forget gate
    assert brackets.is_right(reader, 1)
    assert not brackets.is_right(reader, 50)


def test_the_counting_unit_is_found_whichever_way_it_counts():
    noise = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
    states = torch.cat([noise, -2 * brackets.balance(10).unsqueeze(1) + 5], dim=1)
    assert brackets.counting_unit(states, 10) == (3, pytest.approx(1.0))


@pytest.mark.parametrize("cell", CELLS)
def test_only_the_forward_half_of_one_layer_is_equal_up_to_the_word(sentences, cell):
    options = {"cell": cell, "layers": 1, "connection": "none"}
    network = new_network(sentences, Settings(), seed=3, **options).eval()
    pair = compare(network, ([2, 3, 4, 5, 6], [2, 3, 4, 5, 7]), name=cell)
    assert pair.word == 3
    assert pair.largest_forward <= 1e-6
    assert max(pair.layers[0].forward[:4]) <= 1e-6
    assert min(pair.layers[0].backward) > 1e-3


def test_two_layers_let_the_forward_half_know_what_follows(sentences):
    network = new_network(sentences, Settings(), seed=3, layers=2).eval()
    pair = compare(network, ([2, 3, 4, 5, 6], [2, 3, 4, 5, 7]), name="two layers")
    assert pair.layers[1].forward[3] > 1e-3


@pytest.mark.parametrize(("units", "layers", "bidirectional"), [(8, 1, True), (5, 3, False), (12, 2, True)])
def test_a_gru_has_three_quarters_of_an_lstms_parameters(sentences, units, layers, bidirectional):
    network = {**ModelOptions().network, "hidden_size": units, "layers": layers, "bidirectional": bidirectional}
    lstm, gru, close = make_variants(sentences, Settings(model=ModelOptions(network=network)))
    inputs, directions = 50, 2 if bidirectional else 1
    widths = [inputs] + [directions * units] * (layers - 1)
    assert lstm.parameters == sum(directions * 4 * units * (width + units + 2) for width in widths)
    assert 4 * gru.parameters == 3 * lstm.parameters
    assert close.hidden_size > units
    assert close.parameters == pytest.approx(lstm.parameters, rel=0.1)


def test_symbols_are_read_by_our_encoder_text_by_text():
    torch.manual_seed(0)
    reader = SymbolReader("gru", symbols=3, hidden_size=4, classes=2)
    ids = torch.tensor([[0, 2], [1, 1], [2, 0]])
    alone = reader.encoder(pack_sequence([reader.vectors(ids[:, 1])]))[-1]
    assert isinstance(alone, PackedSequence)
    assert_close(reader.states(ids)[:, 1], alone.data)
