"""Length-bucketed batches: every row once, little padding, an order that depends on seed and epoch alone."""

import pytest
import torch

from training.data.batches import LengthBucketedSampler
from training.data.module import SentimentData

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


BY_COUNT, BY_TOKENS = {"batch_size": 32}, {"batch_size": 1, "tokens_per_batch": 900}


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("processes", [1, 2, 3])
def test_a_token_budget_is_kept_and_every_row_comes_once(processes, shuffle):
    options = {**BY_TOKENS, "shuffle": shuffle, "world_size": processes}
    found = [batch for rank in range(processes) for batch in batches(rank=rank, **options)]
    assert max(len(batch) * int(LENGTHS[batch].max()) for batch in found) <= 900
    assert sorted(row for batch in found for row in batch) == list(range(5000))


def test_a_text_longer_than_the_budget_is_refused():
    with pytest.raises(ValueError, match=r"tokens_per_batch is 58, but the longest text has 59 tokens"):
        LengthBucketedSampler(LENGTHS, batch_size=1, tokens_per_batch=58, shuffle=True)


@pytest.mark.parametrize("size", [BY_COUNT, BY_TOKENS])
def test_the_number_of_batches_is_one_for_all_epochs_and_processes(size):
    samplers = [LengthBucketedSampler(LENGTHS, **size, shuffle=True, rank=rank, world_size=4) for rank in range(4)]
    for sampler in samplers:
        for epoch in range(20):
            sampler.set_epoch(epoch)
            assert len(list(sampler)) == len(sampler) == len(samplers[0])


@pytest.mark.parametrize("size", [BY_COUNT, BY_TOKENS])
@pytest.mark.parametrize("rows", [1, 2, 5, 33, 64, 65, 1000])
def test_processes_share_the_rows_without_loss_or_repetition(size, rows):
    shares = [
        list(LengthBucketedSampler(LENGTHS[:rows], **size, shuffle=shuffle, rank=rank, world_size=2))
        for shuffle in (True, False)
        for rank in range(2)
    ]
    for first, second in (shares[:2], shares[2:]):
        seen = sorted(row for batch in first + second for row in batch)
        assert seen == (list(range(rows)) if rows > 1 else [0, 0])  # one row for two processes: both get it
        assert len(first) == len(second)


def test_processes_get_batches_of_like_length_at_the_same_step():
    shares = [batches(rank=rank, world_size=2) for rank in range(2)]
    apart = [abs(int(LENGTHS[one].max()) - int(LENGTHS[other].max())) for one, other in zip(*shares, strict=True)]
    assert sum(apart) / len(apart) < 2


@pytest.mark.parametrize("size", [BY_COUNT, BY_TOKENS])
def test_going_on_within_an_epoch_gives_its_rest_and_whole_epochs_after(size):
    whole = LengthBucketedSampler(LENGTHS, **size, shuffle=True, rank=1, world_size=2)
    resumed = LengthBucketedSampler(LENGTHS, **size, shuffle=True, rank=1, world_size=2)
    resumed.start_at(epoch=3, batch=17)
    expected, found = [], []
    for epoch in (3, 4):
        whole.set_epoch(epoch)
        expected.append(list(whole))
        resumed.set_epoch(epoch)
        found.append(list(resumed))
    assert found == [expected[0][17:], expected[1]]
    assert len(resumed) == len(whole)


def test_a_token_budget_wastes_little():
    ratio = LengthBucketedSampler(LENGTHS, **BY_TOKENS, shuffle=True).padding_ratio()
    by_hand = batches(**BY_TOKENS)
    padded = sum(len(batch) * max(int(LENGTHS[row]) for row in batch) for batch in by_hand)
    assert ratio == pytest.approx(padded / int(LENGTHS.sum()))
    assert ratio < 1.10


@pytest.mark.parametrize("size", [{"batch_size": 64}, {"batch_size": 64, "tokens_per_batch": 8192}])
@pytest.mark.parametrize(("file", "trees"), [("sst/train.txt.gz", "phrases"), ("imdb/train.jsonl.gz", "root")])
def test_padding_of_real_data_is_at_most_a_tenth(real_data, file, trees, size):
    data = SentimentData(str(real_data / file), str(real_data / file), trees=trees, min_count=5, max_tokens=512)
    lengths = data._train[0].numbered_by(data.labels).lengths
    for processes in (1, 4):
        sampler = LengthBucketedSampler(lengths, **size, shuffle=True, world_size=processes)
        assert sampler.padding_ratio() <= 1.10
