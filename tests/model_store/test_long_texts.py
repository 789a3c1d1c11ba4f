"""A long text is tokenized in pieces, with the same tokens as the whole."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from model_store import SentimentModel, TextError, tokenization
from model_store.tokenization import TextTokenizer

TOKENIZER_FILE = Path("tokenizer.json")

# Whatever the normalizer looks around for: apostrophes, damaged UTF-8, lengthened words, marks, invisible characters.
AWKWARD = (
    "don\u2019t don't so sooooo www iii xiii cool coooool naïve e\u0301 👍🏽 😀 5/5 :) U.S. &#39; s &#39;t â€™s â€ "
    "\ufffds a`b \u200bx x\u200b Ã© Â £ 电影 ½ ﬁ … — “q” ' \" . , ! [UNK] ##s "
)
WORDS = st.one_of(
    st.sampled_from(AWKWARD.split(" ")),
    st.characters(exclude_categories=["Cs"]),
    st.text(alphabet="abos", min_size=1, max_size=120),
)
SPACES = st.sampled_from(["", " ", " ", " ", "  ", "\n", "\t", "\u00a0", " \u0301", "\r\n"])
TEXTS = st.lists(st.builds(str.__add__, WORDS, SPACES), min_size=1, max_size=80).map("".join)


@pytest.fixture(scope="module", params=["default", "tiny"])
def whole(request):
    """The pipeline of a bundle, and its tokenizer without a limit of tokens, which reads every text whole."""
    folder = "default" if request.param == "default" else request.getfixturevalue("tiny_bundle")
    model = SentimentModel.load(folder)
    return model.runner._tokenizer._pipeline, model.manifest.tokenizer.unknown_token


@pytest.mark.parametrize("truncate", ["end", "start"])
@settings(max_examples=150, deadline=None)
@given(text=TEXTS, piece=st.integers(1, 60), max_tokens=st.integers(1, 60))
def test_the_tokens_of_the_pieces_are_those_of_the_whole(whole, truncate, text, piece, max_tokens):
    pipeline, unknown = whole
    encoding = pipeline.encode(text, add_special_tokens=False)
    tokenizer = TextTokenizer(pipeline, unknown_token=unknown, max_tokens=max_tokens, path=TOKENIZER_FILE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tokenization, "PIECE", piece)
        if not encoding.ids:
            with pytest.raises(TextError, match="no tokens"):
                tokenizer.tokenize(text, truncate=truncate)
            return
        result = tokenizer.tokenize(text, truncate=truncate)
    kept = slice(0, max_tokens) if truncate == "end" else slice(-max_tokens, None)
    assert result.ids.tolist() == encoding.ids[kept]
    assert result.truncated == (len(encoding.ids) > max_tokens)
    starts, ends = zip(*encoding.offsets[kept], strict=True)
    assert result.starts.tolist() == list(starts)
    assert all(end <= actual for end, actual in zip(ends, result.ends.tolist(), strict=True))  # marks come on top
    unlimited = TextTokenizer(pipeline, unknown_token=unknown, max_tokens=10**6, path=TOKENIZER_FILE).tokenize(text)
    np.testing.assert_array_equal(result.ends, unlimited.ends[kept])


def test_all_tokens_are_counted_where_a_text_may_not_be_truncated(whole, monkeypatch):
    pipeline, unknown = whole
    monkeypatch.setattr(tokenization, "PIECE", 50)
    tokenizer = TextTokenizer(pipeline, unknown_token=unknown, max_tokens=10, path=TOKENIZER_FILE)
    with pytest.raises(TextError, match="has 1000 tokens and the limit is 10"):
        tokenizer.tokenize("fine cold " * 500, truncate="never")


class Spy:
    """A pipeline that notes what it is given."""

    def __init__(self, pipeline):
        self._pipeline = pipeline
        self.read = []

    def __getattr__(self, name):
        return getattr(self._pipeline, name)

    def encode_batch(self, texts, **options):
        self.read += texts
        return self._pipeline.encode_batch(texts, **options)


@pytest.mark.parametrize(("truncate", "expected"), [("end", "one "), ("start", "two ")])
def test_only_the_kept_end_of_a_long_text_is_read(whole, truncate, expected):
    spy = Spy(whole[0])
    tokenizer = TextTokenizer(spy, unknown_token=whole[1], max_tokens=100, path=TOKENIZER_FILE)
    tokenizer.tokenize("one " * 12_500 + "two " * 12_500, truncate=truncate)
    assert sum(map(len, spy.read)) < 5_000
    assert set("".join(spy.read).split()) == {expected.strip()}


def pipeline_of(**parts):
    """A vocabulary of three words in a pipeline."""
    pipeline = Tokenizer(models.WordLevel({"[UNK]": 0, "fine": 1, "▁fine": 2}, unk_token="[UNK]"))
    for name, part in parts.items():
        setattr(pipeline, name, part)
    return pipeline


@pytest.mark.parametrize(
    "parts",
    [
        {"pre_tokenizer": pre_tokenizers.Metaspace(prepend_scheme="first")},
        {"pre_tokenizer": pre_tokenizers.ByteLevel()},
        {"pre_tokenizer": pre_tokenizers.WhitespaceSplit(), "normalizer": normalizers.Prepend("▁")},
        {"pre_tokenizer": pre_tokenizers.WhitespaceSplit(), "normalizer": normalizers.Strip()},
        {},
    ],
)
def test_a_pipeline_that_reads_across_white_space_is_given_texts_whole(parts):
    pipeline = pipeline_of(**parts)
    spy = Spy(pipeline)
    text = "fine " * 4000
    result = TextTokenizer(spy, unknown_token="[UNK]", max_tokens=5000, path=TOKENIZER_FILE).tokenize(text)
    assert spy.read == [text]
    assert result.ids.tolist() == pipeline.encode(text).ids


def test_a_pipeline_that_truncates_by_itself_is_given_texts_whole(whole):
    parts = json.loads(whole[0].to_str())
    parts["truncation"] = {"max_length": 7, "strategy": "LongestFirst", "stride": 0, "direction": "Right"}
    pipeline = Tokenizer.from_str(json.dumps(parts))
    tokenizer = TextTokenizer(pipeline, unknown_token=whole[1], max_tokens=500, path=TOKENIZER_FILE)
    assert len(tokenizer.tokenize("fine " * 4000)) == 7
