"""The table of cells: complete, and an error for everything that it does not hold."""

from typing import get_args

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_sequence

from model_store.manifest import CellName, ConnectionName, PoolingName
from training.lecture.unrolled import read_step_by_step
from training.network.cells import CELLS, cell_of
from training.network.connections import CONNECTIONS, make_connection
from training.network.encoder import StackedEncoder
from training.network.padded_kernels import pad_layout, run_padded
from training.network.pooling import POOLINGS, Pooling
from training.network.validation import OptionError

RELU = nn.RNN(3, 2, nonlinearity="relu")
"""Torch has this cell and the table does not: its kernels must not be taken for the tanh cell's."""


@pytest.mark.parametrize(
    ("names", "table"), [(CellName, CELLS), (ConnectionName, CONNECTIONS), (PoolingName, POOLINGS)]
)
def test_the_manifest_and_the_tables_have_the_same_names(names, table):
    assert get_args(names) == tuple(table)


@pytest.mark.parametrize("name", CELLS)
def test_a_layer_is_known_by_its_cell(name):
    assert cell_of(CELLS[name].module(3, 2, bidirectional=True)) is CELLS[name]


@pytest.mark.parametrize("name", CELLS)
def test_onnx_has_every_gate_once(name):
    assert sorted(CELLS[name].onnx_gate_order) == list(range(len(CELLS[name].gates)))


@pytest.mark.parametrize("name", CELLS)
def test_torch_has_as_many_rows_as_gates_times_units(name):
    assert CELLS[name].module(3, 2).weight_ih_l0.shape == (len(CELLS[name].gates) * 2, 3)


def test_a_cell_outside_the_table_has_no_fast_kernel():
    states = pack_sequence([torch.zeros(2, 3)])
    weights = dict(RELU.named_parameters())
    with pytest.raises(OptionError, match="the cell RNN_RELU"):
        run_padded(RELU, states, pad_layout(states), weights=weights)


def test_a_cell_outside_the_table_is_not_read_step_by_step():
    with pytest.raises(OptionError, match="the cell RNN_RELU"):
        read_step_by_step(RELU, torch.zeros(2, 1, 3))


def test_an_unknown_name_is_an_error_that_lists_the_table():
    with pytest.raises(OptionError, match="cell is 'sru'; expected one of lstm, gru, rnn"):
        StackedEncoder(3, cell="sru", layers=1, hidden_size=2, bidirectional=True, connection="none")
    with pytest.raises(OptionError, match="connection is 'skip'; expected one of none, residual, dense, highway"):
        make_connection("skip", input_size=3, output_size=4)
    with pytest.raises(OptionError, match="expected one or more distinct names of max, mean, attention, last"):
        Pooling(["min"], 4, bidirectional=True)
