"""What export decides by itself, and what it refuses."""

import copy

import pytest
import torch
from torch.nn.utils.rnn import pack_sequence

from training.export import bundle
from training.export.onnx_graph import build_graph
from training.export.quantization import quantize_weights


@pytest.mark.slow
def test_8_bit_arithmetic_may_change_probabilities_a_little_and_no_more(tiny_task):
    task = copy.deepcopy(tiny_task)
    quantize_weights(task.network, "int8", arithmetic="int8")
    batches = bundle.random_batches(task)
    graph = build_graph(task.network, storage="int8", arithmetic="int8")
    assert 0 < bundle.check_rounding(task, graph, batches) <= 0.05
    with torch.no_grad():
        task.network.head.weight.mul_(-5)
    with pytest.raises(bundle.ParityError, match="--arithmetic float32"):
        bundle.check_rounding(task, graph, batches)


@pytest.mark.slow
def test_a_graph_of_other_weights_is_not_written(tiny_task):
    graph = build_graph(tiny_task.network)
    batches = bundle.random_batches(tiny_task)
    assert bundle.check_parity(tiny_task, graph, batches) <= 1e-5
    other = copy.deepcopy(tiny_task)
    with torch.no_grad():
        other.network.head.weight[0, 0] += 0.01
    with pytest.raises(bundle.ParityError, match="no bundle was written"):
        bundle.check_parity(other, graph, batches)


@pytest.mark.slow
def test_a_graph_that_answers_nan_is_not_written(tiny_task):
    task = copy.deepcopy(tiny_task)
    with torch.no_grad():
        task.network.head.weight[0, 0] = torch.nan
    for check in (bundle.check_parity, bundle.check_rounding):
        with pytest.raises(bundle.ParityError, match="nan"):
            check(task, build_graph(task.network), bundle.random_batches(task))


@pytest.mark.slow
def test_large_logits_may_differ_by_what_32_bits_lose(tiny_task):
    task = copy.deepcopy(tiny_task)
    with torch.no_grad():
        task.network.head.weight.mul_(1000)  # so logits of hundreds, of which 32 bits hold four decimals
    assert bundle.check_parity(task, build_graph(task.network), bundle.random_batches(task)) <= 1e-5


@pytest.mark.slow
def test_of_tokens_that_share_a_maximum_the_graph_may_choose_another(tiny_task):
    tied, nearly = copy.deepcopy(tiny_task), copy.deepcopy(tiny_task)
    for task, size in ((tied, 0.0), (nearly, 1e-7)):
        with torch.no_grad():
            for name, weight in task.network.encoder.named_parameters():
                if "weight" in name:
                    weight.mul_(size)
                else:
                    weight.copy_(torch.linspace(-2, 2, len(weight)))
    batches, graph = bundle.random_batches(tied), build_graph(tied.network)
    ids = pack_sequence(batches[0], enforce_sorted=False)
    contributions = [task.network.explain(ids).contributions for task in (tied, nearly)]
    assert (contributions[0] - contributions[1]).abs().max() > 1e-3
    assert bundle.check_parity(nearly, graph, batches) <= 1e-5
