"""What export decides by itself, and what it refuses."""

import pytest
import torch
from torch import nn

from training import export
from training.onnx_graph import build_graph


def test_a_graph_of_other_weights_is_not_written(tiny_task):
    graph = build_graph(tiny_task.network)
    batches = export.random_batches(tiny_task)
    assert export.check_parity(tiny_task, graph, batches) <= 1e-5
    before = tiny_task.network.head.weight[0, 0].item()
    try:
        with torch.no_grad():
            tiny_task.network.head.weight[0, 0] += 0.01
        with pytest.raises(export.ParityError, match="no bundle was written"):
            export.check_parity(tiny_task, graph, batches)
    finally:
        nn.init.constant_(tiny_task.network.head.weight[0, 0], before)
