"""The graph in ONNX Runtime says what the network says, for the whole family of encoders."""

import itertools
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch.nn.utils.rnn import pack_sequence, pad_sequence
from torch.testing import assert_close

from model_store.graph_check import check_graph
from training.export.onnx_graph import build_graph
from training.export.quantization import quantize_weights
from training.network import SentimentNetwork
from training.network.cells import CELLS
from training.network.connections import CONNECTIONS
from training.network.embedding import make_embedding
from training.network.pooling import POOLINGS

LENGTHS = (4, 9, 1, 9, 3)
POOLING_LISTS = (*([name] for name in POOLINGS), list(POOLINGS))
ONE_THREAD = onnxruntime.SessionOptions()
ONE_THREAD.intra_op_num_threads = 1  # the networks are tiny, and starting threads would take most of the time


@pytest.fixture(scope="module", autouse=True)
def _one_thread_in_torch():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def make(**options):
    torch.manual_seed(1)
    frozen = options.pop("frozen", False)
    network = SentimentNetwork(
        make_embedding(40, 10, vectors=torch.randn(40, 10), frozen=frozen),
        **{"labels": 3, "hidden_size": 5, "pooling": ["max", "mean"], **options},
    )
    for name, parameter in network.named_parameters():
        if "bias" in name or "norms" in name:
            torch.nn.init.normal_(parameter)
    return network.eval()


def assert_same(network, padding_id=7, **options):
    generator = torch.Generator().manual_seed(2)
    rows = [torch.randint(0, 40, (length,), generator=generator) for length in LENGTHS]
    with torch.no_grad():
        expected = network.explain(pack_sequence(rows, enforce_sorted=False))
    graph = build_graph(network, **options)
    check_graph(Path("model.onnx"), graph)  # the model store would run it
    session = onnxruntime.InferenceSession(graph, ONE_THREAD, providers=["CPUExecutionProvider"])
    ids = pad_sequence(rows, batch_first=True, padding_value=padding_id).numpy()
    found = session.run(None, {"ids": ids, "lengths": np.array(LENGTHS, dtype=np.int32)})
    for wanted, got in zip([expected.logits, expected.contributions, *expected.layers], found, strict=True):
        assert_close(torch.from_numpy(got), wanted, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("cell", "connection", "bidirectional", "layers"),
    list(itertools.product(CELLS, CONNECTIONS, (True, False), (1, 2, 4, 8))),
)
def test_every_encoder(cell, connection, bidirectional, layers):
    assert_same(make(cell=cell, connection=connection, bidirectional=bidirectional, layers=layers))


@pytest.mark.parametrize(
    ("cell", "connection", "bidirectional", "layers"),
    list(itertools.product(CELLS, CONNECTIONS, (True, False), (2, 4, 8))),
)
def test_every_encoder_with_layer_norm(cell, connection, bidirectional, layers):
    options = {"cell": cell, "connection": connection, "bidirectional": bidirectional, "layers": layers}
    assert_same(make(layer_norm=True, **options))


@pytest.mark.parametrize(
    ("cell", "pooling", "bidirectional"), list(itertools.product(CELLS, POOLING_LISTS, (True, False)))
)
def test_every_pooling(cell, pooling, bidirectional):
    assert_same(make(cell=cell, pooling=pooling, bidirectional=bidirectional))


@pytest.mark.parametrize("connection", ["residual", "highway"])
def test_a_projection_lets_the_first_layer_connect_and_its_padding_stays_zero(connection):
    assert_same(make(projection_size=10, connection=connection))
    assert_same(make(projection_size=10, connection=connection, layer_norm=True))


def test_a_frozen_8_bit_embedding():
    assert_same(make(frozen=True))


def test_what_stands_in_the_padding_does_not_matter():
    assert_same(make(), padding_id=0)
    assert_same(make(), padding_id=39)


@pytest.mark.parametrize("storage", ["float16", "int8"])
@pytest.mark.parametrize("frozen", [True, False])
@pytest.mark.parametrize("cell", CELLS)
def test_weights_in_less_space_equal_the_rounded_network(storage, frozen, cell):
    network = make(cell=cell, connection="highway", pooling=["max", "attention"], projection_size=10, frozen=frozen)
    whole = len(build_graph(network))
    quantize_weights(network, storage)
    assert_same(network, storage=storage)
    assert len(build_graph(network, storage=storage)) < whole


@pytest.mark.parametrize("frozen", [True, False])
def test_of_an_8_bit_embedding_only_the_texts_tokens_are_widened(frozen):
    # A table that is widened first would stay in 32 bits in memory: 25 MB of the shipped model.
    graph = onnx.load_from_string(build_graph(make(frozen=frozen), storage="int8")).graph
    tables = {weight.name for weight in graph.initializer if weight.dims[:1] == [40]}
    assert len(tables) == 2
    assert {node.op_type for node in graph.node if tables & set(node.input)} == {"Gather"}


def test_8_bit_arithmetic_is_what_it_says():
    # By hand: matrices are codes with a scale a row, what they are multiplied with is rounded to 256 steps: of the
    # range of all vectors that the layer can read, and of -1 to 1 for hidden states.
    network = make(frozen=True, layers=1, hidden_size=6)
    quantize_weights(network, "int8", arithmetic="int8")
    ids = torch.randint(0, 40, (9,), generator=torch.Generator().manual_seed(2))
    (layer,) = network.encoder.layers
    reach = 1.0001 * network.embedding.vectors.abs().max().item()
    read = in_256_steps(network.embedding(ids).numpy(), reach=reach)  # (tokens, embedding size)
    forward = lstm_in_8_bits(layer, read, suffix="")
    backward = lstm_in_8_bits(layer, read[::-1], suffix="_reverse")[::-1]
    found = layers_of(build_graph(network, arithmetic="int8"), ids)[0]
    np.testing.assert_allclose(found, np.concatenate([forward, backward], axis=1), atol=1e-6)
    exact = layers_of(build_graph(network), ids)[0]
    assert 1e-4 < np.abs(found - exact).max() < 0.05


def lstm_in_8_bits(layer, read, *, suffix):
    """(tokens, input size) to (tokens, hidden), by the lecture's equations and rounding of what is multiplied."""
    names = (f"{kind}_l0{suffix}" for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
    read_weight, kept_weight, *biases = (getattr(layer, name).detach().numpy() for name in names)
    hidden = cell = np.zeros(layer.hidden_size, dtype=np.float32)
    states = []
    for token in read @ read_weight.T:
        gates = token + in_256_steps(hidden, reach=1) @ kept_weight.T + sum(biases)
        write, forget, new, out = np.split(gates, 4)
        cell = logistic(forget) * cell + logistic(write) * np.tanh(new)
        hidden = logistic(out) * np.tanh(cell)
        states.append(hidden)
    return np.stack(states)


def in_256_steps(numbers, *, reach):
    scale = np.float32(2 * reach / 255)
    zero = np.rint(np.float32(reach) / scale)
    return (np.clip(np.rint(numbers / scale) + zero, 0, 255) - zero) * scale


def logistic(numbers):
    return 1 / (1 + np.exp(-numbers))


def layers_of(graph, ids):
    check_graph(Path("model.onnx"), graph)
    session = onnxruntime.InferenceSession(graph, ONE_THREAD, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs() if output.name.startswith("layer_")]
    found = session.run(names, {"ids": ids[None].numpy(), "lengths": np.array([len(ids)], dtype=np.int32)})
    return [layer[0] for layer in found]


@pytest.mark.parametrize("connection", ["none", "residual", "dense", "highway"])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_every_lstm_in_8_bits_is_near_the_network(connection, bidirectional):
    network = make(connection=connection, bidirectional=bidirectional, layers=3, layer_norm=True)
    quantize_weights(network, "float16", arithmetic="int8")
    ids = torch.randint(0, 40, (9,), generator=torch.Generator().manual_seed(2))
    exact = layers_of(build_graph(network), ids)
    for wanted, got in zip(
        exact, layers_of(build_graph(network, storage="float16", arithmetic="int8"), ids), strict=True
    ):
        assert np.abs(wanted - got).max() < 0.15


@pytest.mark.parametrize("arithmetic", ["float32", "int8"])
@pytest.mark.parametrize("options", [{}, {"projection_size": 10}, {"layer_norm": True}, {"frozen": True}])
@pytest.mark.parametrize("connection", ["residual", "dense", "highway"])
def test_an_answer_is_the_same_to_the_last_bit_in_any_company(arithmetic, options, connection):
    network = make(connection=connection, layers=3, pooling=list(POOLINGS), **options)
    quantize_weights(network, "int8", arithmetic=arithmetic)
    graph = build_graph(network, storage="int8", arithmetic=arithmetic)
    session = onnxruntime.InferenceSession(graph, ONE_THREAD, providers=["CPUExecutionProvider"])
    generator = np.random.default_rng(3)
    lengths = np.array([40, 26, 1, 7, 40, 2, 33, 16], dtype=np.int32)
    ids = generator.integers(0, 40, (8, 40))
    logits, *by_token = session.run(None, {"ids": ids, "lengths": lengths})
    for row, length in enumerate(lengths):
        text = {"ids": ids[[row], :length], "lengths": lengths[[row]]}
        alone, *alone_by_token = session.run(None, text)
        np.testing.assert_array_equal(logits[row], alone[0])
        for together, by_itself in zip(by_token, alone_by_token, strict=True):
            np.testing.assert_array_equal(together[row, :length], by_itself[0])
            assert not together[row, length:].any()
