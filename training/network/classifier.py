"""The whole network: token ids to logits, and the exact share of every token in them."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from training.network.connections import ConnectionName
from training.network.embedding import Embedding
from training.network.encoder import CellName, StackedEncoder, repack
from training.network.pooling import Pooling, PoolingName


class Explanation(NamedTuple):
    """Everything the network knows of a batch of texts; rows past a text's length are zero.

    ``logits`` (texts, labels); ``contributions`` (texts, tokens, labels), whose sum over tokens plus the head's bias is
    ``logits``; ``layers``, each (texts, tokens, directions * hidden), lowest first.
    """

    logits: Tensor
    contributions: Tensor
    layers: list[Tensor]


class SentimentNetwork(nn.Module):
    """Embedding, optional projection, stacked encoder, pooling, and one linear layer.

    Args:
        embedding: token ids to vectors.
        labels: how many classes.
        projection_size: width to which embedded tokens are projected before the first layer; 0 for none. With
            directions * hidden a residual connection works from the first layer on.
        pooling: one or more of max, mean, attention, last; several are concatenated.
        embedding_dropout: chance of a unit of an embedded token being zeroed.
        dropout: the same between layers and before the head.
    """

    def __init__(
        self,
        embedding: Embedding,
        *,
        labels: int,
        cell: CellName = "lstm",
        layers: int = 2,
        hidden_size: int = 150,
        bidirectional: bool = True,
        connection: ConnectionName = "residual",
        pooling: list[PoolingName],
        projection_size: int = 0,
        embedding_dropout: float = 0.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.embedding = embedding
        self.projection = nn.Linear(embedding.embedding_dim, projection_size) if projection_size else None
        self.embedding_dropout = nn.Dropout(embedding_dropout)
        self.encoder = StackedEncoder(
            projection_size or embedding.embedding_dim,
            cell=cell,
            layers=layers,
            hidden_size=hidden_size,
            bidirectional=bidirectional,
            connection=connection,
            dropout=dropout,
        )
        self.pooling = Pooling(pooling, self.encoder.output_size, bidirectional=bidirectional)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(self.pooling.output_size, labels)

    def forward(self, ids: PackedSequence) -> Tensor:
        """Packed token ids to (texts, labels) logits."""
        states, mask = _unpack(self._encode(ids)[-1])
        logits: Tensor = self.head(self.dropout(self.pooling(states, mask)))
        return logits

    def explain(self, ids: PackedSequence) -> Explanation:
        """The logits, every token's contribution to them, and every layer's representations."""
        layers = [_unpack(layer) for layer in self._encode(ids)]
        states, mask = layers[-1]
        return Explanation(
            logits=self.head(self.pooling(states, mask)),
            contributions=self.pooling.parts(states, mask) @ self.head.weight.T,
            layers=[layer for layer, _ in layers],
        )

    def _encode(self, ids: PackedSequence) -> list[PackedSequence]:
        embedded = self.embedding(ids.data)  # (all tokens, embedding size)
        if self.projection is not None:
            embedded = self.projection(embedded)
        layers: list[PackedSequence] = self.encoder(repack(self.embedding_dropout(embedded), ids))
        return layers


def _unpack(states: PackedSequence) -> tuple[Tensor, Tensor]:
    """(texts, tokens, size) with zeros past each text's end, and the (texts, tokens) mask of real tokens."""
    padded, lengths = pad_packed_sequence(states, batch_first=True)
    lengths = lengths.to(padded.device)
    return padded, torch.arange(padded.shape[1], device=padded.device) < lengths.unsqueeze(1)
