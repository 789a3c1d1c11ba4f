"""Any JSON whatever is a pipeline that reads a text, or is refused; every pipeline of this project is let through."""

import gc
import json
import weakref
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_store import BundleError, TextError
from model_store.tokenization import TextTokenizer
from model_store.tokenizer_file import load_tokenizer
from training.data import tokenization

PATH = Path("tokenizer.json")
TEXTS = ["The soup wasn't cold.", "A wonderful, WONDERFUL film!", "Soooo good \U0001f600"] * 3


def pipelines():
    yield "words", tokenization.word_pipeline(sorted(tokenization.count_words(TEXTS)))
    subwords = tokenization.subword_pipeline(TEXTS, size=200)
    yield "subwords", subwords
    yield "subwords with emoji", tokenization.upgrade(tokenization.emoji.read_as_words(subwords))


@pytest.mark.parametrize(("name", "pipeline"), list(pipelines()))
def test_every_pipeline_of_this_project_is_let_through(name, pipeline):
    loaded = load_tokenizer(PATH, pipeline.to_str().encode())
    assert loaded.encode(TEXTS[0]).ids == pipeline.encode(TEXTS[0]).ids, name
    assert json.loads(loaded.to_str()) == json.loads(pipeline.to_str())


def test_a_pretrained_pipeline_is_let_through():
    # As the tokenizer of BERT is, before training takes its special tokens away.
    pretrained = {
        "version": "1.0",
        "added_tokens": [],
        "normalizer": {
            "type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None,
            "lowercase": True,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {
            "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": {"[UNK]": 0, "soup": 1},
        },
    }  # fmt: skip
    assert load_tokenizer(PATH, json.dumps(pretrained).encode()).encode("SOUP!").ids == [1, 0]


def test_models_share_a_pipeline_for_as_long_as_one_of_them_has_it():
    content = tokenization.word_pipeline(["soup"]).to_str().encode()
    other = tokenization.word_pipeline(["salad"]).to_str().encode()
    first = load_tokenizer(PATH, content)
    assert load_tokenizer(Path("elsewhere") / PATH, content) is first
    assert load_tokenizer(PATH, other).get_vocab() != first.get_vocab()
    gone = weakref.ref(first)
    del first
    gc.collect()
    assert gone() is None


SMALL = {
    "version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "post_processor": None, "decoder": None,
    "normalizer": {"type": "Sequence", "normalizers": [
        {"type": "Replace", "pattern": {"String": "x"}, "content": " y "},
        {"type": "Replace", "pattern": {"Regex": "[a-c]+"}, "content": "a"},
        {"type": "NFC"},
    ]},
    "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
        {"type": "WhitespaceSplit"},
        {"type": "Split", "pattern": {"Regex": "\\p{P}"}, "behavior": "Isolated", "invert": False},
    ]},
    "model": {
        "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
        "vocab": {"[UNK]": 0, "a": 1, "##a": 2},
    },
}  # fmt: skip

WORDS = st.sampled_from(
    [
        "type",
        "Sequence",
        "Replace",
        "Split",
        "Regex",
        "String",
        "content",
        "a",
        "(a",
        "\\",
        "WordLevel",
        "BPE",
        "Unigram",
        "vocab",
        "merges",
        "Precompiled",
        "precompiled_charsmap",
        "Metaspace",
        "Strip",
        "pattern",
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)


def changed(data, value):
    """The value with one part of it replaced, removed or added, at any depth."""
    if not isinstance(value, dict | list) or not value or data.draw(st.integers(0, 3)) == 0:
        return data.draw(VALUES)
    copy = value.copy()
    key = data.draw(st.sampled_from(sorted(copy) if isinstance(copy, dict) else range(len(copy))))
    if isinstance(copy, dict) and data.draw(st.integers(0, 5)) == 0:
        del copy[key]
    else:
        copy[key] = changed(data, copy[key])
    return copy


@settings(max_examples=500)
@given(st.data())
def test_a_pipeline_with_a_part_changed_works_or_is_refused(data):
    content = json.dumps(changed(data, SMALL)).encode()
    with suppress(BundleError, TextError):  # a TextError: a pipeline may find no tokens in it
        pipeline = load_tokenizer(PATH, content)
        tokenizer = TextTokenizer(pipeline, unknown_token="[UNK]", max_tokens=10, path=PATH)
        tokenizer.tokenize("ax \U0001f600 aaa!")


@given(st.binary(max_size=100))
def test_any_bytes_are_refused(content):
    with pytest.raises(BundleError, match=r"tokenizer\.json: is not"):
        load_tokenizer(PATH, content)
