"""A recurrent layer's training step on a CPU over padded texts: the numbers of torch's packed kernel, faster.

On a CPU, torch reads packed texts step by step. Its backward pass allocates zeros as large as the whole batch at every
step, so its cost grows with the square of the length. Bucketed texts are almost equally long. Here they are padded and
read by the kernels for equal lengths, oneDNN's among them. Each direction starts at the first token that it reads, so
that padding comes last in both and no state passes through it on the way to a real token. Outputs at padding are
dropped, and their gradient is exactly 0.
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from training.network.cells import RecurrentLayer, cell_of, weight_names

MAX_PADDING_RATIO = 1.25
"""Padded to real tokens up to which padding is faster; length-bucketed batches stay below 1.1."""


class PaddedLayout(NamedTuple):
    """Positions of the tokens of packed texts in a padded (steps, texts) array, for each direction.

    ``rows`` (directions, steps * texts): the packed row that is read at each position; padding repeats the text's first
    token. ``positions`` (directions, all tokens): the position of each packed row. Both are flat, step by step.
    """

    rows: Tensor
    positions: Tensor
    texts: int


def has_bfloat16_units() -> bool:
    """Whether this CPU has instructions for bfloat16 products (AVX-512 BF16)."""
    supported: bool = torch.cpu._is_avx512_bf16_supported()  # noqa: SLF001 - torch has no public way to ask
    return supported


def pad_layout(states: PackedSequence) -> PaddedLayout | None:
    """The padded layout of these texts, or None where torch's packed kernel is faster or the only way.

    That is the case on an accelerator, where cuDNN reads ragged texts at full speed; under autocast on a CPU without
    the units that the kernels for equal lengths need; and where too much would be padding.
    """
    sizes = states.batch_sizes
    steps, texts, tokens = len(sizes), int(sizes[0]), len(states.data)
    on_cpu = states.data.device.type == "cpu"
    if not on_cpu or steps * texts > MAX_PADDING_RATIO * tokens:
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
    positions = torch.stack([(step * texts + text)[real], (mirrored * texts + text)[real]])
    return PaddedLayout(rows.flatten(1), positions, texts)


def run_padded(
    layer: RecurrentLayer, states: PackedSequence, layout: PaddedLayout, *, weights: Mapping[str, Tensor]
) -> PackedSequence:
    """Run a layer over packed texts: (all tokens, input size) to (all tokens, directions * hidden).

    Args:
        layer: a one-layer recurrent module.
        states: what it reads.
        layout: from ``pad_layout``.
        weights: the layer's weights by name, which may differ from the stored ones.

    Raises:
        OptionError: the layer's cell is not in ``CELLS``.
    """
    cell = cell_of(layer)
    start = states.data.new_zeros(1, layout.texts, layer.hidden_size)
    outputs = []
    for direction, backward in enumerate((False, True) if layer.bidirectional else (False,)):
        padded = states.data.index_select(0, layout.rows[direction]).view(-1, layout.texts, layer.input_size)
        output = cell.sequence(padded, start, [weights[name] for name in weight_names(backward=backward)])
        rows = output.flatten(0, 1)  # (steps * texts, hidden)
        outputs.append(rows.index_select(0, layout.positions[direction]))
    data = torch.cat(outputs, dim=-1)  # (all tokens, directions * hidden)
    return PackedSequence(data, states.batch_sizes, states.sorted_indices, states.unsorted_indices)
