"""Tasks over a few symbols: the encoder under a linear head at every token, its training, and the recall task."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import PackedSequence
from torch.optim import Optimizer

from model_store.manifest import CellName
from training.network.encoder import StackedEncoder
from training.network.options import EncoderOptions

ANSWERS = 4
"""Number of symbols to be recalled; guessing is right in 25% of cases."""

DISTRACTORS = 4
"""Symbols between the answer and the question."""

RECALL_SYMBOLS = ANSWERS + DISTRACTORS


class SymbolReader(nn.Module):
    """One layer of the encoder, left to right, and a linear head that reads every token's state.

    Args:
        symbols: number of symbols; each is read as a one-hot vector.
        hidden_size: units of the layer.
        classes: outputs of the head.
    """

    def __init__(self, cell: CellName, *, symbols: int, hidden_size: int, classes: int) -> None:
        super().__init__()
        self.symbols = symbols
        self.encoder = StackedEncoder(
            symbols,
            encoder=EncoderOptions(
                cell=cell, layers=1, hidden_size=hidden_size, bidirectional=False, connection="none"
            ),
        )
        self.head = nn.Linear(hidden_size, classes)

    def states(self, ids: Tensor) -> Tensor:
        """(tokens, texts) ids of texts of equal length to (tokens, texts, hidden)."""
        steps, texts = ids.shape
        vectors = self.vectors(ids).flatten(0, 1)  # (tokens * texts, symbols)
        packed = PackedSequence(vectors, torch.full((steps,), texts))
        states: Tensor = self.encoder(packed)[-1].data.unflatten(0, (steps, texts))
        return states

    def vectors(self, ids: Tensor) -> Tensor:
        """(any shape) ids to (any shape, symbols)."""
        return functional.one_hot(ids, self.symbols).float()

    def forward(self, ids: Tensor) -> Tensor:
        """(tokens, texts) ids to (tokens, texts, classes) logits."""
        logits: Tensor = self.head(self.states(ids))
        return logits


class Recall(NamedTuple):
    """Texts whose first symbol is to be recalled at the last: ids (distance + 1, texts), answers (texts,)."""

    ids: Tensor
    answers: Tensor


def recall_texts(texts: int, *, distance: int, generator: torch.Generator) -> Recall:
    """A symbol to remember, then ``distance`` others; after the last of them the first is asked for.

    The simplest form of the long time lags of Hochreiter and Schmidhuber (1997, section 5.2).
    """
    answers = torch.randint(ANSWERS, (texts,), generator=generator)
    between = torch.randint(ANSWERS, RECALL_SYMBOLS, (distance, texts), generator=generator)
    return Recall(torch.cat([answers.unsqueeze(0), between]), answers)


def recall_loss(reader: SymbolReader, recall: Recall) -> tuple[Tensor, float]:
    """Cross-entropy at the last token, and the share of right answers."""
    logits = reader(recall.ids)[-1]
    accuracy = float((logits.argmax(dim=-1) == recall.answers).float().mean())
    return functional.cross_entropy(logits, recall.answers), accuracy


def take_step(optimizer: Optimizer, loss: Tensor, parameters: list[nn.Parameter], *, clip: float | None) -> float:
    """Take one step of training; return the gradient's norm before clipping.

    Clipping is torch's ``clip_grad_norm_``, which ``fit`` uses too: the lecture's Algorithm 1 over all parameters.
    """
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    norm = nn.utils.clip_grad_norm_(parameters, float("inf") if clip is None else clip)
    optimizer.step()
    return float(norm)


def train_on_recall(
    reader: SymbolReader,
    *,
    distance: int,
    steps: int,
    generator: torch.Generator,
    enough: Callable[[list[float]], bool] = lambda accuracies: False,  # noqa: ARG005 - by default all steps are taken
    texts: int = 32,
    learning_rate: float = 3e-3,
) -> list[float]:
    """Train with Adam, clipped at norm 1; return the accuracy of every step's batch.

    ``enough`` looks at the accuracies so far and may end the training early.
    """
    parameters = list(reader.parameters())
    optimizer = torch.optim.Adam(parameters, lr=learning_rate)
    accuracies: list[float] = []
    for _ in range(steps):
        loss, accuracy = recall_loss(reader, recall_texts(texts, distance=distance, generator=generator))
        take_step(optimizer, loss, parameters, clip=1.0)
        accuracies.append(accuracy)
        if enough(accuracies):
            break
    return accuracies
