"""The whole network: token ids to logits, and the exact share of every token in them."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from model_store.manifest import CellName, ConnectionName, PoolingName
from training.network.embedding import Embedding
from training.network.encoder import StackedEncoder, repack
from training.network.pooling import Pooling
from training.network.regularization import WordDropout
from training.network.validation import check_int, check_probability


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
        layer_norm: whether every layer but the first reads normalised tokens; see ``StackedEncoder``.
        word_dropout: chance of a token becoming the unknown token.
        unknown_id: that token's id; needed where words are dropped.
        embedding_dropout: chance of a unit of an embedded token being zeroed.
        dropout: the same between layers and before the head.
        locked_dropout: the same on embedded tokens and between layers, with one mask for all tokens of a text.
        weight_drop: chance of a single recurrent weight being zeroed for one batch.

    Raises:
        OptionError: an option is out of its range.
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
        layer_norm: bool = False,
        word_dropout: float = 0.0,
        unknown_id: int | None = None,
        embedding_dropout: float = 0.0,
        dropout: float = 0.0,
        locked_dropout: float = 0.0,
        weight_drop: float = 0.0,
    ) -> None:
        super().__init__()
        check_int("projection_size", projection_size, minimum=0)
        check_probability("embedding_dropout", embedding_dropout)
        self.word_dropout = WordDropout(word_dropout, unknown_id=unknown_id)
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
            layer_norm=layer_norm,
            dropout=dropout,
            locked_dropout=locked_dropout,
            weight_drop=weight_drop,
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
        embedded = self.embedding(self.word_dropout(ids.data))  # (all tokens, embedding size)
        if self.projection is not None:
            embedded = self.projection(embedded)
        layers: list[PackedSequence] = self.encoder(repack(self.embedding_dropout(embedded), ids))
        return layers


def _unpack(states: PackedSequence) -> tuple[Tensor, Tensor]:
    """(texts, tokens, size) with zeros past each text's end, and the (texts, tokens) mask of real tokens."""
    padded, lengths = pad_packed_sequence(states, batch_first=True)
    lengths = lengths.to(padded.device)
    return padded, torch.arange(padded.shape[1], device=padded.device) < lengths.unsqueeze(1)
