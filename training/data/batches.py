"""Length-bucketed batches: texts of similar length together, so that little of a batch is padding."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import Sampler

from training.network.validation import OptionError, check_int

POOL_BATCHES = 100
"""Number of batches sorted by length together: more means less padding, fewer means more shuffling."""

SPARE_BATCHES = 0.01
"""Batches by token budget: their number is fixed at this much more than the first epoch needs, since shuffling makes
some epochs need a few more than others, and Lightning plans schedules with one number for all epochs."""


@dataclass(frozen=True, kw_only=True)
class BatchingOptions:
    """Options of batching.

    Args:
        batch_size: texts a step, of each process.
        tokens_per_batch: instead of batch_size, as many texts a step as keep the longest one's tokens times their
            number within this: equal work and memory for all lengths; 0 uses batch_size.
        most_texts: with tokens_per_batch, also no more texts a step than this, so that words and short phrases do not
            come in hundreds; 0 for no such bound.
        seed: decides the order of batches together with the epoch.
    """

    batch_size: int = 64
    tokens_per_batch: int = 0
    most_texts: int = 0
    seed: int = 0

    def check(self) -> None:
        """Refuse values out of their range.

        Raises:
            OptionError: a value cannot be used.
        """
        check_int("batch_size", self.batch_size, minimum=1)
        check_int("tokens_per_batch", self.tokens_per_batch, minimum=0)
        check_int("most_texts", self.most_texts, minimum=0)


class LengthBucketedSampler(Sampler[list[int]]):
    """Batches of rows of similar length, in an order that depends only on (seed, epoch).

    Rows are shuffled, cut into pools of about ``POOL_BATCHES`` batches, sorted by length within a pool, cut into
    batches, and the batches are shuffled. Without ``shuffle`` all rows are sorted by length once, which is fastest
    for evaluation.

    With several processes each takes every ``world_size``-th batch of that one order, so the order is the same for
    any number of them. In each step all processes get batches of similar length, so they wait little for each other.
    All processes have the same number of batches in all epochs: if one is missing, the batch with the most rows is
    split. So each row comes exactly once an epoch; only with fewer rows than processes does a row come twice.

    Args:
        lengths: (rows,) tokens of each row.
        batch_size: rows a batch.
        tokens_per_batch: instead of ``batch_size``, as many rows as keep the longest row times the number of rows
            within this; 0 counts rows.
        most_rows: with ``tokens_per_batch``, also no more rows than this a batch; 0 for no such bound.
        shuffle: whether epochs differ.
        seed: together with the epoch the only source of randomness.
        rank: this process's number.
        world_size: how many processes share the batches.

    Raises:
        OptionError: a single row is longer than ``tokens_per_batch``.
    """

    def __init__(
        self,
        lengths: Tensor,
        *,
        batch_size: int,
        tokens_per_batch: int = 0,
        most_rows: int = 0,
        shuffle: bool,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        if 0 < tokens_per_batch < (longest := int(lengths.max())):
            message = (
                f"tokens_per_batch is {tokens_per_batch}, but the longest text has {longest} tokens; "
                f"pass --data.tokens_per_batch={longest} or more, or a smaller --data.max_tokens"
            )
            raise OptionError(message)
        self.lengths = lengths
        self.batch_size = batch_size
        self.tokens_per_batch = tokens_per_batch
        self.most_rows = most_rows or len(lengths)
        self.shuffle = shuffle
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.epoch = 0
        self._start = (0, 0)  # an epoch, and how many of its batches were seen before this run
        self._count = self._even(self._batches_needed())

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        self.epoch = epoch

    def start_at(self, *, epoch: int, batch: int) -> None:
        """Resume mid-epoch by skipping the first ``batch`` batches of ``epoch``."""
        self.epoch = epoch
        self._start = (epoch, batch)

    def padding_ratio(self) -> float:
        """Padded over real tokens of the first epoch's batches; 1.0 means no padding."""
        padded = sum(len(batch) * int(self.lengths[batch].max()) for batch in self._epoch_batches(0))
        return padded / max(1, int(self.lengths.sum()))

    def __len__(self) -> int:
        """Batches of this process in an epoch; the same for all processes and epochs, also after ``start_at``."""
        return self._count // self.world_size

    def __iter__(self) -> Iterator[list[int]]:
        epoch, batch = self._start
        left_out = batch if epoch == self.epoch else 0
        for rows in self._epoch_batches(self.epoch)[self.rank :: self.world_size][left_out:]:
            yield rows.tolist()

    def _epoch_batches(self, epoch: int) -> list[Tensor]:
        """The batches of all processes together, in order."""
        if not self.shuffle:
            return _split_largest(self._cut(torch.arange(len(self.lengths))), self._count)
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
        batches = _split_largest(self._shuffled_batches(generator), self._count)
        order = torch.randperm(len(batches) // self.world_size, generator=generator).tolist()
        return [batches[group * self.world_size + rank] for group in order for rank in range(self.world_size)]

    def _shuffled_batches(self, generator: torch.Generator) -> list[Tensor]:
        order = torch.randperm(len(self.lengths), generator=generator)
        pool = POOL_BATCHES * self._rows_a_batch()
        while True:
            batches = [batch for rows in torch.split(order, pool) for batch in self._cut(rows)]
            if len(batches) <= self._count or pool >= len(order):
                return batches
            pool *= 2  # the larger the pools, the fewer the batches; a single one always fits

    def _cut(self, rows: Tensor) -> list[Tensor]:
        """Batches of rows sorted by length, longest first: then a batch's first row decides how many fit."""
        rows = rows[self.lengths[rows].argsort(descending=True, stable=True)]
        if not self.tokens_per_batch:
            return list(torch.split(rows, self.batch_size))
        lengths = self.lengths[rows].tolist()
        sizes, start = [], 0
        while start < len(lengths):
            size = min(self.tokens_per_batch // max(1, lengths[start]), self.most_rows, len(lengths) - start)
            sizes.append(size)
            start += size
        return list(torch.split(rows, sizes))

    def _rows_a_batch(self) -> int:
        if not self.tokens_per_batch:
            return self.batch_size
        rows = max(1, int(self.tokens_per_batch / max(1.0, float(self.lengths.double().mean()))))
        return min(rows, self.most_rows)

    def _batches_needed(self) -> int:
        if not self.tokens_per_batch:
            return math.ceil(len(self.lengths) / self.batch_size)
        fewest = len(self._cut(torch.arange(len(self.lengths))))
        if not self.shuffle:
            return fewest
        self._count = len(self.lengths)  # no limit while the first epoch is counted
        first = len(self._shuffled_batches(torch.Generator().manual_seed(self.seed * 1_000_003)))
        return max(fewest, math.ceil(first * (1 + SPARE_BATCHES)))

    def _even(self, batches: int) -> int:
        return math.ceil(batches / self.world_size) * self.world_size


def _split_largest(batches: list[Tensor], count: int) -> list[Tensor]:
    """Split batches until there are ``count``, halves next to each other; repeat some if all are single rows."""
    while (missing := count - len(batches)) > 0:
        divisible = [position for position, batch in enumerate(batches) if len(batch) > 1]
        if not divisible:
            return [batches[position % len(batches)] for position in range(count)]
        chosen = set(sorted(divisible, key=lambda position: -len(batches[position]))[:missing])
        batches = [
            part
            for position, batch in enumerate(batches)
            for part in (batch.tensor_split(2) if position in chosen else (batch,))
        ]
    return batches
