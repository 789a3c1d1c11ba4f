"""Recurrent cells: one table from which network, ONNX graph, fast kernel, lecture, benchmarks and tests are made.

A new cell is an entry in ``CELLS`` and its name in ``model_store.manifest.CellName``; nothing else lists cells.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from model_store.manifest import CellName
from training.network.validation import OptionError, check_choice

RecurrentLayer = nn.RNNBase
"""A one-layer recurrent module of torch, in one direction or both."""

State = tuple[Tensor, ...]
"""The state of a cell: the hidden state and, for an LSTM, the cell state; each (texts, hidden)."""

FORGET_GATE = "forget"
"""The gate that starts open; see ``encoder.initialize``."""

_SEQUENCE_OPTIONS = (True, 1, 0.0, True, False, False)  # biases, layers, dropout, training, bidirectional, texts first


@dataclass(frozen=True, kw_only=True)
class Cell:
    """Everything that is particular to one kind of cell.

    Attributes:
        module: makes torch's one-layer module: ``module(input_size, hidden_size, bidirectional=...)``.
        mode: by which torch tells its modules apart (``nn.RNNBase.mode``).
        gates: blocks of rows in each weight matrix and bias, in torch's order.
        sequence: one direction over (tokens, texts, input size) from an initial (1, texts, hidden), with the weights
            input to hidden, hidden to hidden and their biases; returns (tokens, texts, hidden). The kernel for texts of
            equal length.
        step: one token, (texts, input size), the state before it and the same weights; returns the state after it.
        state_count: tensors in the state.
        onnx_operator: the operator of the ONNX standard.
        onnx_gate_order: for each of ONNX's gates, its index in ``gates``.
        onnx_attributes: what the operator needs to compute as torch does.
        onnx_int8_operator: ONNX Runtime's operator with 8-bit weights; None if there is none.
    """

    module: Callable[..., RecurrentLayer]
    mode: str
    gates: tuple[str, ...]
    sequence: Callable[[Tensor, Tensor, list[Tensor]], Tensor]
    step: Callable[[Tensor, State, list[Tensor]], State]
    state_count: int = 1
    onnx_operator: str
    onnx_gate_order: tuple[int, ...]
    onnx_attributes: Mapping[str, int] = field(default_factory=dict)
    onnx_int8_operator: str | None = None


CELLS: dict[CellName, Cell] = {
    "lstm": Cell(
        module=nn.LSTM,
        mode="LSTM",
        gates=("input", FORGET_GATE, "candidate", "output"),
        sequence=lambda inputs, start, weights: torch.lstm(inputs, (start, start), weights, *_SEQUENCE_OPTIONS)[0],
        step=lambda token, state, weights: torch.lstm_cell(token, state, *weights),
        state_count=2,
        onnx_operator="LSTM",
        onnx_gate_order=(0, 3, 1, 2),  # input, output, forget, candidate
        onnx_int8_operator="DynamicQuantizeLSTM",
    ),
    "gru": Cell(
        module=nn.GRU,
        mode="GRU",
        gates=("reset", "update", "candidate"),
        sequence=lambda inputs, start, weights: torch.gru(inputs, start, weights, *_SEQUENCE_OPTIONS)[0],
        step=lambda token, state, weights: (torch.gru_cell(token, *state, *weights),),
        onnx_operator="GRU",
        onnx_gate_order=(1, 0, 2),  # update, reset, candidate
        onnx_attributes={"linear_before_reset": 1},  # torch applies the reset gate after the recurrent product
    ),
    "rnn": Cell(
        module=nn.RNN,
        mode="RNN_TANH",
        gates=("candidate",),
        sequence=lambda inputs, start, weights: torch.rnn_tanh(inputs, start, weights, *_SEQUENCE_OPTIONS)[0],
        step=lambda token, state, weights: (torch.rnn_tanh_cell(token, *state, *weights),),
        onnx_operator="RNN",
        onnx_gate_order=(0,),
    ),
}


def get_cell(name: CellName) -> Cell:
    """The cell with this name.

    Raises:
        OptionError: ``CELLS`` does not have it.
    """
    check_choice("cell", name, choices=tuple(CELLS))
    return CELLS[name]


def cell_of(layer: nn.Module) -> Cell:
    """The cell that a recurrent layer consists of.

    Raises:
        OptionError: the layer's cell is not in ``CELLS``.
    """
    mode = getattr(layer, "mode", type(layer).__name__)
    for cell in CELLS.values():
        if cell.mode == mode:
            return cell
    message = f"a layer has the cell {mode}; expected one of {', '.join(cell.mode for cell in CELLS.values())}"
    raise OptionError(message)


def weight_names(*, backward: bool) -> list[str]:
    """Names of one direction's weights in the order in which ``Cell.sequence`` and ``Cell.step`` take them."""
    suffix = "_l0_reverse" if backward else "_l0"
    return [f"{kind}{suffix}" for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
