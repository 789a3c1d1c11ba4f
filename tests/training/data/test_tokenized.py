"""A data set of token ids hands out whole packed batches."""

import pytest
import torch
from torch.nn.utils.rnn import pack_sequence, pad_packed_sequence

from training.data.tokenized import TokenizedExamples


def test_a_batch_packs_the_rows_asked_for_in_their_order():
    examples = TokenizedExamples.of([[1, 2, 3], [4], [5, 6]], [0, 1, 2])
    batch = examples[[2, 0, 1]]
    padded, lengths = pad_packed_sequence(batch.ids, batch_first=True)
    assert padded.tolist() == [[5, 6, 0], [1, 2, 3], [4, 0, 0]]
    assert lengths.tolist() == [2, 3, 1]
    assert batch.labels.tolist() == [2, 0, 1]
    assert batch.rows.tolist() == [2, 0, 1]


@pytest.mark.parametrize("rows", [[0], [3, 1], [2, 0, 3, 1]])
def test_a_batch_is_laid_out_as_torch_packs_it(rows):
    texts = [[7, 8], [1, 2, 3, 4, 5], [9], [4, 5, 6]]
    expected = pack_sequence([torch.tensor(texts[row]) for row in rows], enforce_sorted=False)
    packed = TokenizedExamples.of(texts, [0, 0, 0, 0])[rows].ids
    for part, value in expected._asdict().items():
        assert torch.equal(getattr(packed, part), value), part
