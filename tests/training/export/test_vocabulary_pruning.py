"""Leaving rare tokens out changes nothing for texts without them, spells what is left out, and says what it cannot."""

import copy
import json

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from torch.nn.utils.rnn import pack_sequence
from torch.testing import assert_close

from model_store.hashing import file_sha256
from training.data import tokenization
from training.data.examples import DataError
from training.export.vocabulary_pruning import VocabularyError, occurrences, prune_vocabulary
from training.fit.checkpoint import Checkpoint
from training.fit.task import SentimentTask

ROWS = ["the plot is fine", "the plot is bad", "the cast is fine", "a zebra is bad"]
PIECES = ["[PAD]", "the", "plot", "is", "fine", "bad", "cast", "zebra", "nissan", "[UNK]", "映"]


@pytest.fixture
def train(tmp_path):
    path = tmp_path / "train.csv"
    rows = [f"{text},{'positive' if 'fine' in text else 'negative'}\n" for text in ROWS]
    path.write_text("text,label\n" + "".join(rows), encoding="utf-8")
    return path


def pieces_pipeline():
    letters = [letter for one in "abcdefghijklmnopqrstuvwxyz0" for letter in (one, f"##{one}")]
    vocabulary = {piece: number for number, piece in enumerate([*PIECES, *letters])}
    pipeline = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    pipeline.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return pipeline


def trained_on(path, pipeline, *, frozen=False):
    torch.manual_seed(5)
    vectors = torch.randn(pipeline.get_vocab_size(), 8)
    task = SentimentTask(
        ["negative", "positive"],
        pipeline.to_str(),
        vectors=vectors,
        freeze_embedding=frozen,
        hidden_size=6,
        layers=1,
        word_dropout=0.1,
    ).eval()
    files = [{"part": "train", "name": "train.csv", "rows": len(ROWS), "sha256": file_sha256(path)}]
    data = {"train": str(path), "validation": str(path), "max_tokens": 3}
    return Checkpoint(task=task, data_options=data, files=files, epochs=1, run={})


def ids_of(task, text):
    (ids,) = tokenization.encode_all(Tokenizer.from_str(task.tokenizer_json), [text], max_tokens=99)
    return torch.tensor(ids)


def logits(task, text):
    with torch.no_grad():
        return task.network(pack_sequence([ids_of(task, text)]))


def test_tokens_are_counted_as_far_as_training_reads_a_text(train):
    checkpoint = trained_on(train, pieces_pipeline())
    counts = dict(zip(PIECES, occurrences(checkpoint).tolist(), strict=False))
    assert (counts["the"], counts["plot"], counts["is"], counts["zebra"], counts["nissan"]) == (3, 2, 4, 1, 0)
    assert (counts["fine"], counts["bad"]) == (0, 0)  # the fourth word, and the run read three


@pytest.mark.parametrize("frozen", [True, False])
def test_texts_of_kept_tokens_get_the_same_answer_and_others_are_spelt(train, frozen):
    checkpoint = trained_on(train, pieces_pipeline(), frozen=frozen)
    before = copy.deepcopy(checkpoint.task)
    assert prune_vocabulary(checkpoint, min_count=2) == 7  # [PAD], fine, bad, cast, zebra, nissan and the sign
    task = checkpoint.task
    kept = Tokenizer.from_str(task.tokenizer_json).get_vocab()
    assert {"[UNK]", "the", "plot", "is", "q", "##q", "0"} <= set(kept)
    assert sorted(kept.values()) == list(range(len(kept))) == list(range(task.network.embedding.num_embeddings))
    assert task.network.word_dropout.unknown_id == kept["[UNK]"]
    for text in ("the plot is", "is the plot the plot", "qa"):
        assert_close(logits(task, text), logits(before, text), atol=0, rtol=0)
    pieces = Tokenizer.from_str(task.tokenizer_json).encode("zebra").tokens
    assert pieces == ["z", "##e", "##b", "##r", "##a"]
    vocabulary = Tokenizer.from_str(before.tokenizer_json).get_vocab()
    with torch.no_grad():
        spelt = before.network(pack_sequence([torch.tensor([vocabulary[piece] for piece in pieces])]))
    assert_close(logits(task, "zebra"), spelt, atol=0, rtol=0)
    assert Tokenizer.from_str(task.tokenizer_json).encode("映").tokens == ["[UNK]"]


def test_files_of_an_earlier_run_count_where_they_are_named(train, tmp_path):
    earlier = tmp_path / "earlier.csv"
    earlier.write_text("text,label\nzebra nissan zebra,negative\n", encoding="utf-8")
    checkpoint = trained_on(train, pieces_pipeline())
    counts = dict(zip(PIECES, occurrences(checkpoint, files=[train, earlier]).tolist(), strict=False))
    assert (counts["the"], counts["zebra"], counts["nissan"]) == (3, 3, 1)
    prune_vocabulary(checkpoint, min_count=2, files=[train, earlier])
    assert "zebra" in Tokenizer.from_str(checkpoint.task.tokenizer_json).get_vocab()


def test_a_word_that_is_left_out_of_words_is_unknown(train):
    checkpoint = trained_on(train, tokenization.word_pipeline(["the", "plot", "is", "zebra"]))
    assert prune_vocabulary(checkpoint, min_count=2) == 2  # [PAD] and zebra
    assert Tokenizer.from_str(checkpoint.task.tokenizer_json).encode("the zebra").tokens == ["the", "[UNK]"]


def test_another_file_than_the_run_learnt_from_is_refused(train):
    checkpoint = trained_on(train, pieces_pipeline())
    train.write_text("text,label\nanother text,positive\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"train\.csv: it is not the file that the run was trained on"):
        prune_vocabulary(checkpoint, min_count=2)


def test_a_file_that_is_gone_is_named(train):
    checkpoint = trained_on(train, pieces_pipeline())
    train.unlink()
    with pytest.raises(DataError, match=r"train\.csv"):
        prune_vocabulary(checkpoint, min_count=2)


def test_no_token_can_be_taken_from_merges(train):
    pipeline = Tokenizer(models.BPE({"a": 0, "b": 1, "[UNK]": 2, "ab": 3}, [("a", "b")], unk_token="[UNK]"))
    checkpoint = trained_on(train, pipeline)
    assert json.loads(checkpoint.task.tokenizer_json)["model"]["type"] == "BPE"
    with pytest.raises(VocabularyError, match="this one is BPE; export without --min_count"):
        prune_vocabulary(checkpoint, min_count=2)
