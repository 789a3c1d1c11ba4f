"""Training on several files at once, with a teacher's scores in some."""

import math

import pyarrow as pa
import pytest
import torch
from pyarrow import parquet

from training.data.examples import DataError
from training.data.module import SentimentData
from training.data.tokenized import UNLABELED, TokenizedExamples


@pytest.fixture
def files(tmp_path):
    """A CSV file of labels, and a scored Parquet file whose second text has no label."""
    (tmp_path / "labels.csv").write_text("text,label\na good film,pos\na bad film,neg\n")
    table = {
        "text": ["good", "not so good"],
        "label": ["pos", None],
        "teacher: pos": [-0.1, -1.5],
        "teacher: neg": [-2.4, -0.3],
    }
    parquet.write_table(pa.table(table), tmp_path / "scored.parquet")
    return [str(tmp_path / "labels.csv"), str(tmp_path / "scored.parquet")]


def prepare(train, validation, **options):
    data = SentimentData(train, validation, **{"min_count": 1, **options})
    data.setup("fit")
    return data


def test_rows_follow_one_another_and_keep_what_each_has(files):
    data = prepare(files, files[0])
    examples = data._examples["train"]
    assert data.labels == ["neg", "pos"]
    assert examples.labels.tolist() == [1, 0, 1, UNLABELED]
    assert examples.teacher[:2].isnan().all()
    # In the order of the labels, which is not the file's.
    torch.testing.assert_close(examples.teacher[2:], torch.tensor([[-2.4, -0.1], [-0.3, -1.5]]))


def test_words_are_learnt_from_all_files(files):
    vocabulary = prepare(files, files[0]).tokenizer_json
    assert '"film"' in vocabulary
    assert '"so"' in vocabulary


def test_the_checkpoint_names_every_file(files):
    found = prepare(files, files[:1]).state_dict()["files"]
    assert [(file["part"], file["name"].rpartition("/")[2], file["rows"]) for file in found] == [
        ("train", "labels.csv", 2),
        ("train", "scored.parquet", 2),
        ("validation", "labels.csv", 2),
    ]


def test_a_checkpoint_of_other_files_is_refused(files):
    state = prepare(files, files[0]).state_dict()
    with pytest.raises(DataError, match=r"scored\.parquet: not the file this checkpoint was trained on"):
        prepare(files[::-1], files[0]).load_state_dict(state)
    with pytest.raises(DataError, match="original files in their order"):
        prepare(files[:1], files[0]).load_state_dict(state)


def test_batches_hold_the_scores_of_their_rows(files):
    examples = prepare(files, files[0])._examples["train"]
    batch = examples[[3, 0]]
    assert batch.labels.tolist() == [UNLABELED, 1]
    assert batch.teacher[0].tolist() == pytest.approx([-0.3, -1.5])
    assert all(math.isnan(score) for score in batch.teacher[1].tolist())


def test_one_file_alone_stays_mapped_to_memory():
    examples = TokenizedExamples.of([[1, 2], [3]], [0, 1])
    assert TokenizedExamples.together([examples]) is examples


def test_no_more_texts_than_asked_for_stand_in_a_batch_by_tokens(files):
    unbounded = prepare(files, files[0], tokens_per_batch=100)
    assert max(len(batch.labels) for batch in unbounded.train_dataloader()) > 1
    bounded = prepare(files, files[0], tokens_per_batch=100, most_texts=1)
    assert [len(batch.labels) for batch in bounded.train_dataloader()] == [1] * len(bounded.train_dataloader())
