"""One pipeline for training and serving, whatever the vocabulary."""

import json

import pytest
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, processors

from training.data import tokenization

TEXTS = ["The film can't miss.", "A film isn't a book!", "the FILM"]


def test_words_are_counted_as_the_pipeline_sees_them():
    counts = tokenization.count_words(TEXTS)
    assert counts["film"] == 3
    assert counts["n't"] == 2
    assert counts["ca"] == 1


def test_unseen_words_are_unknown_and_ids_follow_the_list():
    pipeline = tokenization.word_pipeline(["film", "the"])
    assert list(tokenization.encode_all(pipeline, ["the film noir"], max_tokens=9)) == [[3, 2, 1]]


def test_encoding_cuts_at_the_limit_and_keeps_the_order():
    pipeline = tokenization.word_pipeline(["a", "b"])
    texts = ["a b a b", "b"] * 3
    assert list(tokenization.encode_all(pipeline, texts, max_tokens=3, chunk=2)) == [[2, 3, 2], [3]] * 3


def test_a_learnt_subword_pipeline_reads_words_it_never_saw():
    pipeline = tokenization.subword_pipeline(TEXTS * 5, size=60)
    encoding = pipeline.encode("filmish")
    assert len(encoding.tokens) > 1
    assert tokenization.UNKNOWN not in encoding.tokens


def test_learning_subwords_again_gives_the_same_pipeline():
    first, *others = (tokenization.subword_pipeline(TEXTS, size=70).to_str() for _ in range(6))
    assert others == [first] * 5


def test_a_character_that_only_begins_words_takes_no_place_as_a_continuation():
    vocabulary = tokenization.subword_pipeline(["中文 film"], size=100).get_vocab()
    assert {"中", "文", "##i", "##l", "##m"} <= set(vocabulary)
    assert not {"##中", "##文", "##f"} & set(vocabulary)


def test_long_texts_are_encoded_a_few_at_a_time(monkeypatch):
    monkeypatch.setattr(tokenization, "CHUNK_CHARACTERS", 10)
    taken = []
    texts = (taken.append(text) or text for text in ["aaaa bbbb cccc", "a", "b", "aaaa bbbb cccc", "b"])
    encoded = tokenization.encode_all(tokenization.word_pipeline(["a", "b"]), texts, max_tokens=9)
    assert next(encoded) == [1, 1, 1]
    assert len(taken) == 1
    assert [next(encoded), len(taken)] == [[2], 4]
    assert list(encoded) == [[3], [1, 1, 1], [3]]


@pytest.fixture
def model_folder(tmp_path):
    """A Hugging Face folder in small: special tokens, a template, padding and truncation switched on."""
    vocabulary = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "good": 4, "film": 5, "##s": 6}
    pipeline = Tokenizer(models.WordPiece(vocabulary, unk_token=tokenization.UNKNOWN))
    pipeline.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    pipeline.add_special_tokens([AddedToken(name, special=True) for name in ("[PAD]", "[UNK]", "[CLS]", "[SEP]")])
    pipeline.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    pipeline.enable_padding(length=8)
    pipeline.enable_truncation(4)
    pipeline.save(str(tmp_path / "tokenizer.json"))
    return tmp_path


def test_a_pretrained_pipeline_keeps_its_ids_and_loses_its_special_treatment(model_folder):
    pipeline = tokenization.pretrained_pipeline(model_folder)
    assert pipeline.encode("good films good films").ids == [4, 5, 6, 4, 5, 6]
    # Typed by a person, "[SEP]" is a bracket, a word and a bracket, and no control sign.
    assert 3 not in pipeline.encode("good [SEP]").ids


def test_a_folder_without_a_tokenizer_says_what_to_pass(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"tokenizer.json: no such file; name a folder"):
        tokenization.pretrained_pipeline(tmp_path)


def test_a_pretrained_pipeline_without_unknown_token_is_refused(tmp_path):
    Tokenizer(models.BPE()).save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(ValueError, match="no unknown token"):
        tokenization.pretrained_pipeline(tmp_path)


def test_the_bundles_json_is_the_pipeline():
    pipeline = tokenization.word_pipeline(["film"])
    assert json.loads(pipeline.to_str())["model"]["vocab"] == {"[PAD]": 0, "[UNK]": 1, "film": 2}
