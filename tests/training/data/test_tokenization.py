"""One pipeline for training and serving, whatever the vocabulary."""
# ruff: noqa: RUF001 - signs that look like others are what is tested

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors

from model_store import SentimentModel
from model_store import bundle as bundles
from training.data import emoji, text_normalization, tokenization
from training.network.validation import OptionError

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
    with pytest.raises(OptionError, match=r"tokenizer.json: no such file; name a folder"):
        tokenization.pretrained_pipeline(tmp_path)


def test_a_pretrained_pipeline_without_unknown_token_is_refused(tmp_path):
    Tokenizer(models.BPE()).save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(ValueError, match="no unknown token"):
        tokenization.pretrained_pipeline(tmp_path)


def test_the_bundles_json_is_the_pipeline():
    pipeline = tokenization.word_pipeline(["film"])
    assert json.loads(pipeline.to_str())["model"]["vocab"] == {"[PAD]": 0, "[UNK]": 1, "film": 2}


WORDS = {
    *{"good", "great", "bad", "nice", "love", "terrible", "awful", "horrible", "wonderful", "amazing", "cool", "sweet"},
    *{"so", "yes", "no", "hate", "free", "boring", "soon", "film", "it", "don", "cafe", "25", "www", "iii"},
}
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
SIGNS = "'\".,-&;#()!?"
VOCABULARY = ["[PAD]", "[UNK]", *sorted(WORDS), *SIGNS, *LETTERS, *(f"##{letter}" for letter in LETTERS)]


def bert(vocabulary=VOCABULARY):
    """As Hugging Face folders have it, and as pipelines were built before they read noisy text."""
    ids = {token: index for index, token in enumerate(dict.fromkeys(vocabulary))}
    pipeline = Tokenizer(models.WordPiece(ids, unk_token=tokenization.UNKNOWN))
    pipeline.normalizer = normalizers.BertNormalizer(lowercase=True)
    pipeline.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return pipeline


@pytest.fixture(scope="module")
def noisy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("folder")
    bert().save(str(folder / "tokenizer.json"))
    return tokenization.pretrained_pipeline(folder)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("terrible🙃", "terrible [UNK]"),
        ("great™", "great [UNK]"),
        ("good★★★", "good [UNK] [UNK] [UNK]"),
        ("25°", "25 [UNK]"),
        ("5€", "5 [UNK]"),
        ("→bad", "[UNK] bad"),
        ("♪nice", "[UNK] nice"),
        ("✔good", "[UNK] good"),
        ("love♥it", "love [UNK] it"),
        ("goodˈbad", "good ' bad"),  # between letters it is an apostrophe
        ("goodˈ", "good [UNK]"),
        ("goodж", "good [UNK]"),
        ("приветgood", "[UNK] good"),
        ("good\u20e3 bad\ufe0f 5\ufe0f\u20e3", "good bad 5"),
        ("good\U0001f3fd", "good"),
        ("🙃\u200d🙃", "[UNK] [UNK]"),
    ],
)
def test_a_sign_or_foreign_letter_does_not_erase_the_word_it_touches(noisy, text, tokens):
    assert noisy.encode(text).tokens == tokens.split()


@pytest.mark.parametrize("invisible", ["\u00ad", "\u200b", "\ufeff", "\u2060", "\ue000", "\u200d"])
def test_invisible_characters_vanish_without_the_help_of_berts_normalizer(invisible):
    pipeline = bert()
    pipeline.normalizer = normalizers.Lowercase()
    encoding = text_normalization.normalize_text(pipeline).encode(f"Terri{invisible}ble")
    assert (encoding.tokens, encoding.offsets) == (["terrible"], [(0, 9)])


@pytest.mark.parametrize("apostrophe", "´`＇’‘‛′ʼʹʻʽˈ՚ꞌ\x92�")
def test_an_apostrophe_of_any_kind_between_letters_is_one(noisy, apostrophe):
    encoding = noisy.encode(f"don{apostrophe}t")
    assert encoding.tokens == ["don", "'", "t"]
    assert encoding.offsets == [(0, 3), (3, 4), (4, 5)]


def test_the_same_sign_elsewhere_stays_what_it_is(noisy):
    assert noisy.encode("`good` 5′").tokens == ["[UNK]", "good", "[UNK]", "5", "[UNK]"]


@pytest.mark.parametrize("codec", ["cp1252", "latin-1"])
@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("don’t", "don ' t"),
        ("it‘s", "it ' s"),
        ("“good”", '" good "'),
        ("good…", "good . . ."),
        ("good–bad", "good - bad"),
        ("good—bad", "good - bad"),
        ("café", "cafe"),
        ("great™", "great"),
        ("good •", "good"),
        ("5\u00a0good", "5 good"),
    ],
)
def test_utf8_read_as_another_encoding_is_undone(noisy, text, tokens, codec):
    # The five bytes that cp1252 leaves out are shown as controls, as browsers do.
    damaged = "".join(
        bytes([byte]).decode(codec, errors="replace").replace("�", chr(byte)) for byte in text.encode("utf-8")
    )
    assert noisy.encode(damaged).tokens == tokens.split()


def test_a_closing_quote_whose_last_byte_was_lost_is_one(noisy):
    assert noisy.encode("â€œgoodâ€ bad").tokens == ['"', "good", '"', "bad"]


def test_undoing_keeps_the_offsets_of_what_stands_around(noisy):
    text = "donâ€™t terrible"
    encoding = noisy.encode(text)
    assert [text[start:end] for start, end in encoding.offsets][::2] == ["don", "t"]
    assert text[slice(*encoding.offsets[-1])] == "terrible"


def test_a_word_too_long_for_the_model_is_read_in_parts(noisy):
    assert tokenization.UNKNOWN not in noisy.encode("ab" * 150).tokens


LENGTHENED = (
    "woooonderful:wonderful amaaazing:amazing goooood:good coooool:cool sweeeet:sweet sooooo:so baaad:bad "
    "terrrrible:terrible horrrrible:horrible awwwful:awful yesss:yes loooove:love haaate:hate freeee:free "
    "booooring:boring nooooo:no GOOOOD:good BaAaAd:bad soooon:soon gooooddd:good"
)


@pytest.mark.parametrize(("text", "word"), [pair.split(":") for pair in LENGTHENED.split()])
def test_a_lengthened_word_is_the_word(noisy, text, word):
    encoding = noisy.encode(f"it {text} it")
    assert encoding.tokens == ["it", word, "it"]
    assert encoding.offsets == [(0, 2), (3, 3 + len(text)), (4 + len(text), 6 + len(text))]


def test_words_spelt_with_three_letters_and_pairs_stay(noisy):
    normalized = noisy.normalizer.normalize_str("www.good III VIII XXX XXXIV hmm aww brr zzz zzzz 1000 !!!")
    assert normalized == "www.good iii viii xxx xxxiv hmm aww brr zz zz 1000 !!!"


def test_capitals_are_lengthened_too_where_the_vocabulary_has_capitals():
    pipeline = bert()
    pipeline.normalizer = None
    assert text_normalization.normalize_text(pipeline).normalizer.normalize_str("GOOOOD NoOoO") == "GOOD NO"


def test_a_learnt_vocabulary_has_no_signs_within_its_words():
    pipeline = tokenization.subword_pipeline(["good★★★ don’t", "goooood☆ don´t", "good donâ€™t"] * 9, size=80)
    assert pipeline.encode("gooood☆").tokens == ["good", "☆"]
    assert pipeline.encode("donʼt").tokens == ["don", "'", "t"]


def test_an_upgrade_is_the_pipeline_built_anew_and_again_changes_nothing(noisy):
    upgraded = tokenization.upgrade(bert())
    assert upgraded.to_str() == noisy.to_str()
    assert tokenization.upgrade(upgraded).to_str() == upgraded.to_str()
    assert upgraded.get_vocab() == bert().get_vocab()


def test_an_upgrade_after_tokens_were_left_out_splits_what_is_left_out():
    pipeline = text_normalization.normalize_text(bert([*VOCABULARY, "ж", "##ж"]))
    assert pipeline.encode("goodж").tokens == ["good", "##ж"]
    parts = json.loads(pipeline.to_str()) | {"model": json.loads(bert().to_str())["model"]}
    assert tokenization.upgrade(Tokenizer.from_str(json.dumps(parts))).to_str() == tokenization.upgrade(bert()).to_str()


def test_an_upgrade_leaves_a_pipeline_of_words_alone():
    pipeline = tokenization.word_pipeline(["film"])
    assert tokenization.upgrade(pipeline).to_str() == pipeline.to_str()


PIECES = st.one_of(
    st.text(max_size=8),
    st.text("aegloz'’´`™★♥â€œ™Ã©Â£\u200d\ufe0f🏽❤👍жIX ", max_size=12),
    st.sampled_from(["donâ€™t", "goooood", "😍😍", "★☆", "&#39;", "www.", "日本"]),
)


@settings(max_examples=400)
@given(before=PIECES, after=PIECES, word=st.sampled_from(["terrible", "wonderful", "film", "boring"]))
def test_offsets_stay_within_the_text_in_order_and_on_the_word(before, after, word):
    text = f"{before} {word} {after}".encode(errors="ignore").decode()
    encoding = EMOJI_PIPELINE.encode(text)
    starts, ends = zip(*encoding.offsets, strict=True)
    assert all(0 <= start <= end <= len(text) for start, end in encoding.offsets)
    assert list(starts) == sorted(starts)
    assert list(ends) == sorted(ends)
    assert word in [
        text[start:end] for token, (start, end) in zip(encoding.tokens, encoding.offsets, strict=True) if token == word
    ]


EMOJI_PIPELINE = emoji.read_as_words(text_normalization.normalize_text(bert([*VOCABULARY, *emoji.WORDS, "star", "*"])))

POSITIVE = (
    "woooonderful amaaazing goooood coooool sweeeet loooove greaaaat excelllllent beautifulllll fantasticcc funnnny "
    "yummmmy"
)
NEGATIVE = (
    "baaad terrrrible horrrrible awwwful haaate booooring stuuuupid worrrrst disgustinggg poooor uselesssss uglyyyy"
)


def test_at_least_22_of_24_lengthened_words_keep_their_sign(tmp_path):
    shipped = bundles.read(bundles.DEFAULT)
    pipeline = tokenization.upgrade(Tokenizer.from_str(shipped.tokenizer.decode()))
    files = {bundles.TOKENIZER: pipeline.to_str().encode(), bundles.GRAPH: shipped.graph}
    bundles.write(tmp_path / "upgraded", shipped.manifest.replace(files=bundles.hashes(files)), files)
    expected = dict.fromkeys(POSITIVE.split(), "positive") | dict.fromkeys(NEGATIVE.split(), "negative")
    assert len(expected) == 24
    predictions = SentimentModel.load(tmp_path / "upgraded").predict([f"It was {word}." for word in expected])
    kept = [p.label for p, label in zip(predictions, expected.values(), strict=True) if p.label == label]
    assert len(kept) >= 22
