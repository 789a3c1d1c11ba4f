"""Length-bucketed batches: texts of similar length together, so that little of a batch is padding."""

import math
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_sequence
from torch.utils.data import Dataset, Sampler

POOL_BATCHES = 100
"""How many batches are sorted by length together: more means less padding, fewer means more shuffling."""


class Batch(NamedTuple):
    """Texts ready for the network: packed ids, (texts,) label numbers and (texts,) positions in the data set."""

    ids: PackedSequence
    labels: Tensor
    rows: Tensor


class TokenizedExamples(Dataset[Batch]):
    """Token ids of all texts end to end in one array, so that a million texts are no million objects.

    Its items are whole batches: ``examples[rows]`` packs those rows.
    """

    def __init__(self, texts: Iterable[list[int]], labels: Sequence[int]) -> None:
        flat, lengths = array("i"), array("i")
        for ids in texts:
            flat.extend(ids)
            lengths.append(len(ids))
        self.ids = torch.tensor(flat, dtype=torch.int32)
        self.lengths = torch.tensor(lengths, dtype=torch.int64)
        self.ends = self.lengths.cumsum(0)
        self.labels = torch.tensor(labels, dtype=torch.int64)

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, rows: list[int]) -> Batch:
        """The rows, packed once; nothing downstream sees padding."""
        ids = pack_sequence([self._ids(row) for row in rows], enforce_sorted=False)
        positions = torch.tensor(rows)
        return Batch(ids, self.labels[positions], positions)

    def _ids(self, row: int) -> Tensor:
        end = int(self.ends[row])
        return self.ids[end - int(self.lengths[row]) : end].long()


class LengthBucketedSampler(Sampler[list[int]]):
    """Batches of rows of similar length, in an order that depends on nothing but (seed, epoch).

    Rows are shuffled, cut into pools of ``POOL_BATCHES`` batches, sorted by length within a pool, cut into batches, and
    the batches are shuffled. Without ``shuffle`` all rows are sorted by length once, which is fastest for evaluation.

    Args:
        lengths: (rows,) tokens of each row.
        batch_size: rows a batch.
        shuffle: whether epochs differ.
        seed: together with the epoch the only source of randomness.
    """

    def __init__(self, lengths: Tensor, *, batch_size: int, shuffle: bool, seed: int = 0) -> None:
        self.lengths = lengths
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return math.ceil(len(self.lengths) / self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        if not self.shuffle:
            yield from _cut(self.lengths.argsort(descending=True, stable=True), self.batch_size)
            return
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        order = torch.randperm(len(self.lengths), generator=generator)
        batches = [
            batch
            for pool in torch.split(order, POOL_BATCHES * self.batch_size)
            for batch in _cut(pool[self.lengths[pool].argsort(stable=True)], self.batch_size)
        ]
        for position in torch.randperm(len(batches), generator=generator).tolist():
            yield batches[position]


def _cut(rows: Tensor, batch_size: int) -> list[list[int]]:
    return [batch.tolist() for batch in torch.split(rows, batch_size)]
