"""The whole network: token ids to logits, and every token's exact contribution to them."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from model_store.manifest import PoolingName
from training.network.embedding import Embedding
from training.network.encoder import StackedEncoder, repack
from training.network.flat_options import flat_options
from training.network.options import ENCODER, NO_REGULARIZATION, EncoderOptions, RegularizationOptions
from training.network.pooling import Pooling
from training.network.regularization import WordDropout
from training.network.validation import check_int, check_probability


class Explanation(NamedTuple):
    """All outputs of the network for a batch of texts; rows past a text's length are zero.

    ``logits`` (texts, labels); ``contributions`` (texts, tokens, labels), whose sum over tokens plus the head's bias is
    ``logits``; ``layers``, each (texts, tokens, directions * hidden), lowest first.
    """

    logits: Tensor
    contributions: Tensor
    layers: list[Tensor]


@flat_options()
class SentimentNetwork(nn.Module):
    """Embedding, optional projection, stacked encoder, pooling, and one linear layer.

    Args:
        embedding: token ids to vectors.
        labels: how many classes.
        projection_size: width to which embedded tokens are projected before the first layer; 0 for none. With
            directions * hidden a residual connection works from the first layer on.
        pooling: one or more poolings; several are concatenated.
        unknown_id: the unknown token's id; needed where words are dropped.
        encoder: the encoder's shape.
        regularization: noise in training; off by default.

    Raises:
        OptionError: an option is out of its range.
    """

    def __init__(
        self,
        embedding: Embedding,
        *,
        labels: int,
        pooling: list[PoolingName],
        projection_size: int = 0,
        unknown_id: int | None = None,
        encoder: EncoderOptions = ENCODER,
        regularization: RegularizationOptions = NO_REGULARIZATION,
    ) -> None:
        super().__init__()
        check_int("projection_size", projection_size, minimum=0)
        check_probability("embedding_dropout", regularization.embedding_dropout)
        self.word_dropout = WordDropout(regularization.word_dropout, unknown_id=unknown_id)
        self.embedding = embedding
        self.projection = nn.Linear(embedding.embedding_dim, projection_size) if projection_size else None
        self.embedding_dropout = nn.Dropout(regularization.embedding_dropout)
        width = projection_size or embedding.embedding_dim
        self.encoder = StackedEncoder(width, encoder=encoder, regularization=regularization)
        self.pooling = Pooling(pooling, self.encoder.output_size, bidirectional=encoder.bidirectional)
        self.dropout = nn.Dropout(regularization.dropout)
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
            contributions=self.contributions(states, mask),
            layers=[layer for layer, _ in layers],
        )

    def contributions(self, states: Tensor, mask: Tensor) -> Tensor:
        """(texts, tokens, labels): what each token's representation in the highest layer adds to the logits.

        Args:
            states: (texts, tokens, directions * hidden) of the highest layer.
            mask: (texts, tokens), true where there is a token.
        """
        parts: Tensor = self.pooling.parts(states, mask)
        return parts @ self.head.weight.T

    def by_depth(self) -> list[list[nn.Module]]:
        """The parts that have weights, from the head down to the embedding, those of one layer together."""
        encoder = self.encoder
        layers = [list(parts) for parts in zip(encoder.layers, encoder.norms, encoder.connections, strict=True)]
        lowest: list[nn.Module] = [self.embedding, *([] if self.projection is None else [self.projection])]
        return [[self.head, self.pooling], *reversed(layers), lowest]

    def pooled(self, ids: PackedSequence) -> Tensor:
        """(texts, pooled size): what the head reads, without dropout."""
        pooled: Tensor = self.pooling(*_unpack(self._encode(ids)[-1]))
        return pooled

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
