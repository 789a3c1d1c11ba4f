"""Length-bucketed batches: every row once, little padding, an order that depends on seed and epoch alone."""

import pytest
import torch
from torch.nn.utils.rnn import pad_packed_sequence

from training.data.batches import LengthBucketedSampler, TokenizedExamples

LENGTHS = torch.randint(1, 60, (5000,), generator=torch.Generator().manual_seed(0))


def batches(*, epoch=0, **options):
    sampler = LengthBucketedSampler(LENGTHS, **{"batch_size": 32, "shuffle": True, **options})
    sampler.set_epoch(epoch)
    return list(sampler)


@pytest.mark.parametrize("shuffle", [True, False])
def test_every_row_comes_once_in_as_many_batches_as_said(shuffle):
    found = batches(shuffle=shuffle)
    assert sorted(row for batch in found for row in batch) == list(range(5000))
    assert len(found) == len(LengthBucketedSampler(LENGTHS, batch_size=32, shuffle=shuffle)) == 157


def test_the_order_depends_on_seed_and_epoch_alone():
    assert batches(seed=1, epoch=3) == batches(seed=1, epoch=3)
    assert batches(seed=1, epoch=3) != batches(seed=1, epoch=4)
    assert batches(seed=1, epoch=3) != batches(seed=2, epoch=3)


def test_little_is_padding():
    def ratio(rows):
        return sum(len(batch) * int(LENGTHS[batch].max()) for batch in rows) / int(LENGTHS.sum())

    assert ratio(batches()) < 1.10
    unsorted = torch.arange(5000).split(32)
    assert ratio([batch.tolist() for batch in unsorted]) > 1.8


def test_lengths_are_mixed_over_an_epoch():
    means = torch.tensor([LENGTHS[batch].float().mean() for batch in batches()])
    assert means[: len(means) // 2].mean() == pytest.approx(float(means[len(means) // 2 :].mean()), rel=0.15)


def test_a_batch_packs_the_rows_asked_for_in_their_order():
    examples = TokenizedExamples([[1, 2, 3], [4], [5, 6]], [0, 1, 2])
    batch = examples[[2, 0, 1]]
    padded, lengths = pad_packed_sequence(batch.ids, batch_first=True)
    assert padded.tolist() == [[5, 6, 0], [1, 2, 3], [4, 0, 0]]
    assert lengths.tolist() == [2, 3, 1]
    assert batch.labels.tolist() == [2, 0, 1]
    assert batch.rows.tolist() == [2, 0, 1]
