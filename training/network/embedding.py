"""Token ids to vectors: a trained table, or a frozen pretrained one kept in a quarter of the space."""

from typing import Self

import torch
from torch import Tensor, nn

from training.network.quantization import dequantize, quantize_rows


class QuantizedEmbedding(nn.Module):
    """A frozen table in 8 bits a number, with one scale a row.

    Rounding happens once, before training, so that the network learns on the very numbers that are shipped: nothing is
    lost between the checkpoint and the bundle.
    """

    codes: Tensor
    scales: Tensor

    def __init__(self, rows: int, size: int) -> None:
        super().__init__()
        self.register_buffer("codes", torch.zeros(rows, size, dtype=torch.int8))
        self.register_buffer("scales", torch.ones(rows, 1))

    @classmethod
    def from_vectors(cls, vectors: Tensor) -> Self:
        """Round (rows, size) vectors; each number is off by at most half its row's scale."""
        table = cls(*vectors.shape)
        codes, scales = quantize_rows(vectors)
        table.codes.copy_(codes)
        table.scales.copy_(scales)
        return table

    @property
    def embedding_dim(self) -> int:
        """Width of one vector, as in ``nn.Embedding``."""
        return self.codes.shape[1]

    @property
    def num_embeddings(self) -> int:
        """Rows of the table, as in ``nn.Embedding``."""
        return self.codes.shape[0]

    @property
    def vectors(self) -> Tensor:
        """(rows, size) the whole table, dequantized."""
        return dequantize(self.codes, self.scales)

    @property
    def is_blank(self) -> bool:
        """Whether the table was never filled: all rows are zero, and stay so since it is frozen."""
        return not self.codes.any()

    def forward(self, ids: Tensor) -> Tensor:
        """(any shape) ids to (any shape, size) vectors."""
        return dequantize(self.codes[ids], self.scales[ids])


Embedding = nn.Embedding | QuantizedEmbedding


def make_embedding(rows: int, size: int, *, vectors: Tensor | None, frozen: bool) -> Embedding:
    """A (rows, size) table: frozen in 8 bits, or trained in full precision; from pretrained vectors or at random."""
    if frozen:
        return QuantizedEmbedding(rows, size) if vectors is None else QuantizedEmbedding.from_vectors(vectors)
    table = nn.Embedding(rows, size)
    if vectors is not None:
        table.load_state_dict({"weight": vectors})
    return table
