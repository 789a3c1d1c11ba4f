"""Emoji as words: what is read, and where it stands."""

from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from model_store.tokenization import TextTokenizer
from training.data import tokenization
from training.data.emoji import WORDS, read_as_words, reads_emoji
from training.data.module import SentimentData
from training.data.text_normalization import normalize_text
from training.network.validation import OptionError

VOCABULARY = [*WORDS, "i", "it", "star", "*"]


@pytest.fixture
def pipeline():
    return read_as_words(tokenization.word_pipeline(VOCABULARY))


def words_and_surfaces(pipeline, text):
    encoding = pipeline.encode(text, add_special_tokens=False)
    return [(token, text[start:end]) for token, (start, end) in zip(encoding.tokens, encoding.offsets, strict=True)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I 😍 it", [("i", "I"), ("love", "😍"), ("it", "it")]),
        ("👎👎", [("bad", "👎"), ("bad", "👎")]),
        ("it😀it", [("it", "it"), ("happy", "😀"), ("it", "it")]),
        ("♥♥", [("love", "♥"), ("love", "♥")]),
        ("★☆it⭐", [("star", "★"), ("*", "☆"), ("it", "it"), ("star", "⭐")]),
    ],
)
def test_an_emoji_is_its_word_where_it_stands(pipeline, text, expected):
    assert words_and_surfaces(pipeline, text) == expected


def test_every_one_is_a_single_code_point_with_one_meaning_of_one_word():
    signs = [sign for group in WORDS.values() for sign in group]
    assert len(signs) == len(set(signs))
    assert not any("\ufe0f" in group or "\u200d" in group for group in WORDS.values())
    assert all(word.isalpha() and word.islower() for word in WORDS)


def test_an_emoji_with_a_presentation_selector_is_read_too(pipeline):
    assert ("love", "❤") in words_and_surfaces(pipeline, "I ❤️ it")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("great👍🏽bad", [("great", "great"), ("great", "👍"), ("bad", "bad")]),
        ("bad😍❤️❤️", [("bad", "bad"), ("love", "😍"), ("love", "❤"), ("love", "❤")]),
        ("🤦🏼\u200d♀️", [("disappointed", "🤦"), ("[UNK]", "♀")]),
    ],
)
def test_a_skin_tone_or_a_selector_is_not_a_token_before_word_pieces(text, expected):
    vocabulary = {token: index for index, token in enumerate(["[UNK]", *VOCABULARY])}
    pipeline = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    pipeline.normalizer, pipeline.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    assert words_and_surfaces(read_as_words(normalize_text(pipeline)), text) == expected


def test_reading_as_words_again_changes_nothing(pipeline):
    assert read_as_words(pipeline).to_str() == pipeline.to_str()
    assert reads_emoji(pipeline)
    assert not reads_emoji(tokenization.word_pipeline(VOCABULARY))


def test_it_survives_being_written_to_a_bundle(pipeline):
    tokenizer = TextTokenizer(
        Tokenizer.from_str(pipeline.to_str()), unknown_token="[UNK]", max_tokens=10, path=Path("tokenizer.json")
    )
    tokenized = tokenizer.tokenize("😡")
    assert tokenized.known.all()
    assert (tokenized.starts.tolist(), tokenized.ends.tolist()) == ([0], [1])


def test_a_vocabulary_that_is_learnt_has_no_say_in_it(tmp_path):
    (tmp_path / "a.csv").write_text("text,label\ngood,pos\nbad,neg\n")
    with pytest.raises(OptionError, match="emoji_words needs the words of a pretrained vocabulary"):
        SentimentData(str(tmp_path / "a.csv"), str(tmp_path / "a.csv"), emoji_words=True)
