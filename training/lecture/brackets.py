"""The language a^n b^n as next-symbol prediction: its texts, its training, and the longest text a network gets right.

A text is n times "a", n times "b" and an end. While the text is all "a", what follows cannot be known; from the first
"b" on it can, by counting: another "b" until there are as many as "a", then the end (Gers and Schmidhuber 2001).
"""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from training.lecture.symbols import SymbolReader, take_step

A, B, END = 0, 1, 2
SYMBOLS = 3
IGNORED = -100


def text(n: int) -> Tensor:
    """(2n,) what is read: the end is only predicted."""
    return torch.tensor([A] * n + [B] * n)


def targets(n: int) -> Tensor:
    """(2n,) the next symbol after each."""
    return torch.cat([text(n)[1:], torch.tensor([END])])


def texts_and_targets(ns: Sequence[int]) -> tuple[Tensor, Tensor]:
    """(tokens, texts) ids and targets, both filled up at the end; filled-up targets are ``IGNORED``.

    Reading from left to right, nothing after a text's end can reach it, so equal lengths cost nothing but time; and
    they save more of it, since torch runs an LSTM over texts of equal length ten times as fast on a CPU.
    """
    ids = pad_sequence([text(n) for n in ns])
    return ids, pad_sequence([targets(n) for n in ns], padding_value=IGNORED)


def train(
    reader: SymbolReader, *, longest: int, steps: int, generator: torch.Generator, texts: int = 16
) -> list[float]:
    """Train on random n up to ``longest``; return the loss of every step."""
    parameters = list(reader.parameters())
    optimizer = torch.optim.Adam(parameters, lr=0.01)
    losses = []
    for _ in range(steps):
        ns = torch.randint(1, longest + 1, (texts,), generator=generator).tolist()
        ids, following = texts_and_targets(ns)
        loss = functional.cross_entropy(reader(ids).flatten(0, 1), following.flatten(), ignore_index=IGNORED)
        take_step(optimizer, loss, parameters, clip=1.0)
        losses.append(float(loss.detach()))
    return losses


def is_right(reader: SymbolReader, n: int) -> bool:
    """Whether every symbol from the first "b" on is predicted, the end included."""
    with torch.no_grad():
        predicted = reader(text(n).unsqueeze(1))[:, 0].argmax(dim=-1)
    return bool((predicted[n:] == targets(n)[n:]).all())


def share_right(reader: SymbolReader, ns: Sequence[int]) -> float:
    """The part of the ``ns`` that are right."""
    return sum(is_right(reader, n) for n in ns) / len(ns)


def balance(n: int) -> Tensor:
    """(2n,) how many "a" more than "b" have been read."""
    return torch.cat([torch.arange(1, n + 1), torch.arange(n - 1, -1, -1)]).float()


def counting_unit(states: Tensor, n: int) -> tuple[int, float]:
    """The unit of (2n, units) states that follows the balance best, and how well (absolute correlation)."""
    matrix = torch.cat([balance(n).unsqueeze(1), states], dim=1).double().T
    correlations = torch.corrcoef(matrix)[0, 1:].nan_to_num().abs()  # a unit that never moves has none
    unit = int(correlations.argmax())
    return unit, float(correlations[unit])


def set_by_hand(reader: SymbolReader) -> None:
    """Weights under which an LSTM of one unit counts: its cell adds 1 for each "a" and takes 1 away for each "b".

    All gates are open, the forget gate too. The head reads tanh(cell): 0 when the count is used up, at least 0.76
    before. After an "a" it always predicts "b", which is what the rest of the text is judged by.
    """
    open_, whole = 20.0, 20.0  # sigmoid(20) and tanh(20) are 1 in single precision
    layer = cast("nn.LSTM", reader.encoder.layers[0])
    with torch.no_grad():
        for parameter in reader.parameters():
            nn.init.zeros_(parameter)
        cast("Tensor", layer.bias_ih_l0).copy_(
            torch.tensor([open_, open_, 0.0, open_])
        )  # input, forget, content, output
        cast("Tensor", layer.weight_ih_l0)[2].copy_(torch.tensor([whole, -whole, 0.0]))
        reader.head.weight[B] = 10.0
        reader.head.bias[END] = 5.0  # the end wins while 10 * tanh(cell) < 5
        reader.head.bias[A] = -100.0
