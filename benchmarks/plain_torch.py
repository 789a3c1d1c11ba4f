"""This project's network as one would write it in torch alone: shuffled batches, padded, in a loop of one's own.

The same layers, sizes, embeddings, rate and number of passes as ``training/configs/sst2.yaml``, but no residual
connection, which ``nn.LSTM`` lacks, no average of the weights, and all passes.
"""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence

from benchmarks.baselines import Labels, Learned, Learner, Lesson, Scores, System
from training.data.vectors import standardize, token_embeddings

EMBEDDING_SIZE, HIDDEN_SIZE, DROPOUT = 256, 200, 0.2
EPOCHS, BATCH_SIZE, LEARNING_RATE, CLIP = 4, 64, 2e-3, 1.0

T = TypeVar("T")


class PlainNetwork(nn.Module):
    """Two bidirectional layers of LSTMs over frozen embeddings, maximum and mean over the tokens, and a linear head."""

    def __init__(self, vectors: Tensor, labels: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding.from_pretrained(vectors)
        self.lstm = nn.LSTM(
            vectors.shape[1], HIDDEN_SIZE, num_layers=2, dropout=DROPOUT, bidirectional=True, batch_first=True
        )
        self.dropout = nn.Dropout(DROPOUT)
        self.head = nn.Linear(4 * HIDDEN_SIZE, labels)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Logits of shape (texts, labels) from (texts, tokens) ids and the mask of real tokens."""
        states, _ = self.lstm(self.dropout(self.embedding(ids)))  # (texts, tokens, 2 * hidden)
        real = mask.unsqueeze(2)  # (texts, tokens, 1)
        mean = (states * real).sum(dim=1) / real.sum(dim=1)  # (texts, 2 * hidden)
        highest = states.masked_fill(~real, float("-inf")).amax(dim=1)  # (texts, 2 * hidden)
        logits: Tensor = self.head(self.dropout(torch.cat([highest, mean], dim=1)))
        return logits


def plain_torch(learn_from: Lesson, *, data: str, kinds: Sequence[Labels], folder: Path) -> System:
    """The plain loop as a system.

    Args:
        learn_from: labels to texts.
        data: their name.
        kinds: the sets of labels to learn.
        folder: of the transformer whose vocabulary and token embeddings it has.
    """
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()

    def tokenized(texts: Sequence[str]) -> list[Tensor]:
        encoded = tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return [torch.tensor(text.ids or [0]) for text in encoded]

    def fitted(labels: Labels) -> Learned:
        rows = learn_from(labels)
        torch.manual_seed(0)
        network = PlainNetwork(standardize(token_embeddings(folder), size=EMBEDDING_SIZE), len(labels))
        train(network, tokenized(rows.texts), torch.tensor([labels.index(label) for label in rows.truth]))

        @torch.inference_mode()
        def score(texts: Sequence[str]) -> Scores:
            network.eval()
            parts = [network(*padded(batch)).softmax(dim=1) for batch in _slices(tokenized(texts))]
            return np.asarray(torch.cat(parts), dtype=np.float64)

        return Learned(score, sum(4 * weights.numel() for weights in network.parameters()))

    return Learner(fitted, kinds).as_system("its layers in plain torch", data=data)


def train(network: PlainNetwork, texts: list[Tensor], targets: Tensor) -> None:
    """All passes over the texts, in another order each."""
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained)
    steps = EPOCHS * -(-len(texts) // BATCH_SIZE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=LEARNING_RATE, total_steps=steps)
    order = list(range(len(texts)))
    shuffler = random.Random(0)  # noqa: S311 - not for cryptography
    network.train()
    for _ in range(EPOCHS):
        shuffler.shuffle(order)
        for chosen in _slices(order):
            ids, mask = padded([texts[row] for row in chosen])
            cross_entropy(network(ids, mask), targets[chosen]).backward()
            nn.utils.clip_grad_norm_(trained, CLIP)
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()


def padded(texts: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """(texts, tokens) ids with zeros after each text, and the mask of real ones."""
    lengths = torch.tensor([len(text) for text in texts])
    ids = pad_sequence(list(texts), batch_first=True)
    return ids, torch.arange(ids.shape[1]) < lengths.unsqueeze(1)


def _slices(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(rows), BATCH_SIZE):
        yield rows[start : start + BATCH_SIZE]
