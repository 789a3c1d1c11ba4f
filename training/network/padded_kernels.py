"""A recurrent layer's training step on a CPU over texts laid side by side: what torch's packed kernel gives, faster.

Torch reads packed texts on a CPU step by step, and on the way back makes, for every step, zeros as large as the whole
batch: the cost grows with the square of the length. Bucketed texts are almost equally long, so they can be filled up to
a rectangle and read by the kernels for equal lengths, oneDNN's among them. Each direction reads its texts from their
own first token on, so the filling comes after a text's last token in both, and no state ever passes through it on the
way to a real token; what is read there is dropped, and its gradient is exactly 0.
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

MOST_FILLING = 1.25
"""Places of the rectangle to real tokens up to which it is faster; length-bucketed batches stay below 1.1."""


class Rectangle(NamedTuple):
    """Where the tokens of packed texts stand in a (steps, texts) rectangle, for each direction.

    ``rows`` (directions, steps * texts): the packed row that is read at each place; a text's filling repeats its first
    token. ``places`` (directions, all tokens): the place of each packed row. Both are flat, step by step.
    """

    rows: Tensor
    places: Tensor
    texts: int


def has_bfloat16_units() -> bool:
    """Whether this CPU multiplies bfloat16 numbers by itself (AVX-512 BF16)."""
    supported: bool = torch.cpu._is_avx512_bf16_supported()  # noqa: SLF001 - torch has no public way to ask
    return supported


def lay_out(states: PackedSequence) -> Rectangle | None:
    """The rectangle for these texts, or None where torch's packed kernel is the better or the only way.

    That is off the CPU, where cuDNN reads ragged texts at full speed; under autocast where the CPU lacks the units that
    its kernels for equal lengths need; and where too much would be filling.
    """
    sizes = states.batch_sizes
    steps, texts, tokens = len(sizes), int(sizes[0]), len(states.data)
    on_cpu = states.data.device.type == "cpu"
    if not on_cpu or steps * texts > MOST_FILLING * tokens:
        return None
    if torch.is_autocast_enabled("cpu") and not has_bfloat16_units():
        return None
    text = torch.arange(texts)
    step = torch.arange(steps).unsqueeze(1)
    real = text < sizes.unsqueeze(1)  # (steps, texts)
    lengths = real.sum(dim=0)
    mirrored = torch.where(real, lengths - 1 - step, step)  # the step at which the backward direction reads a token
    forward_rows = torch.where(real, (sizes.cumsum(0) - sizes).unsqueeze(1), 0) + text
    rows = torch.stack([forward_rows, forward_rows.gather(0, mirrored)])
    places = torch.stack([(step * texts + text)[real], (mirrored * texts + text)[real]])
    return Rectangle(rows.flatten(1), places, texts)


def read_side_by_side(
    layer: nn.LSTM | nn.GRU | nn.RNN, states: PackedSequence, rectangle: Rectangle, *, weights: Mapping[str, Tensor]
) -> PackedSequence:
    """What ``layer`` makes of packed texts, (all tokens, input size) to (all tokens, directions * hidden).

    Args:
        layer: a one-layer recurrent module.
        states: what it reads.
        rectangle: from ``lay_out``.
        weights: the layer's weights by name, which may differ from the stored ones.
    """
    outputs = []
    for direction, suffix in enumerate(("", "_reverse") if layer.bidirectional else ("",)):
        filled = states.data.index_select(0, rectangle.rows[direction]).view(-1, rectangle.texts, layer.input_size)
        named = [weights[f"{kind}_l0{suffix}"] for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
        read = _run(layer, filled, named)  # (steps, texts, hidden)
        outputs.append(read.flatten(0, 1).index_select(0, rectangle.places[direction]))
    data = torch.cat(outputs, dim=-1)  # (all tokens, directions * hidden)
    return PackedSequence(data, states.batch_sizes, states.sorted_indices, states.unsorted_indices)


def _run(layer: nn.LSTM | nn.GRU | nn.RNN, filled: Tensor, weights: list[Tensor]) -> Tensor:
    """One direction over (steps, texts, input size), by the function that torch's own module calls."""
    start = filled.new_zeros(1, filled.shape[1], layer.hidden_size)
    options = (True, 1, 0.0, True, False, False)  # biases, layers, dropout, training, bidirectional, texts first
    if isinstance(layer, nn.LSTM):
        return torch.lstm(filled, (start, start), weights, *options)[0]
    run = torch.gru if isinstance(layer, nn.GRU) else torch.rnn_tanh
    return run(filled, start, weights, *options)[0]
