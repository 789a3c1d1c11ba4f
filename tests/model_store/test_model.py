"""The library without HTTP: exact contributions, honest offsets, and the same answer in any company."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model_store import ModelError, SentimentModel, TextError
from model_store import bundle as bundles
from model_store.manifest import Calibration

GOOD = "The soup was wonderful, but the service wasn't."
NASTY = [
    "family 👨‍👩‍👧‍👦 dinner",
    "cafe\u0301 cre\u0300me",
    "הסרט היה מצוין",
    "line one\r\nline two",
    "before\x00after",
    "İstanbul ﬁne ½ Ǆ",
    "한국어 영화",
    "\ufeffbyte order mark",
    "[UNK] [PAD] [CLS]",
    "a" * 3000,
    "\u200b.",
]


@pytest.fixture(scope="module")
def model(tiny_bundle):
    return SentimentModel.load(tiny_bundle)


def bias(model):
    return np.array([label.bias for label in model.manifest.labels])


def assert_holds_together(model, text):
    """Whatever the text: tokens are pieces of it in order, and contributions plus bias are the logits."""
    try:
        (answer,) = model.predict([text], explain=True)
    except TextError as refused:
        code = refused.code
    else:
        code = None
    if code is not None:
        assert code in {"empty_text", "invalid_text"}
        return
    starts = [token.start for token in answer.tokens]
    assert starts == sorted(starts)
    for token in answer.tokens:
        assert 0 <= token.start < token.end <= len(text)
        assert text[token.start : token.end] == token.text
    np.testing.assert_allclose(answer.contributions.sum(axis=0) + bias(model), answer.logits, atol=1e-4)
    assert sum(answer.scores.values()) == pytest.approx(1)


@pytest.fixture(scope="module", params=["words", "subwords"])
def either(request, model):
    """A model of each kind of tokenizer; the shipped one reads sub-words."""
    return model if request.param == "words" else SentimentModel.load("default")


@pytest.mark.parametrize("text", NASTY)
def test_a_nasty_text_holds_together(either, text):
    assert_holds_together(either, text)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(codec=None), max_size=200))
def test_any_unicode_holds_together(either, text):
    assert_holds_together(either, text)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("Can't!", ["Ca", "n't", "!"]),
        ("I didn\u2019t like it, she'll say.", ["I", "did", "n\u2019t", "like", "it", ",", "she", "'ll", "say", "."]),
        ("10/10 — wow", ["10", "/", "10", "—", "wow"]),
    ],
)
def test_words_are_cut_as_the_penn_treebank_cuts_them(model, text, pieces):
    assert [token.text for token in model.predict([text])[0].tokens] == pieces


def test_the_same_text_alone_and_among_63_others(either, sample_texts):
    texts = [GOOD, *sample_texts[:62], " ".join(sample_texts[:20])]
    together = either.represent(texts, layers=[1, 2])
    for text, crowded in zip(texts, together, strict=True):
        (alone,) = either.represent([text], layers=[1, 2])
        assert crowded.scores == pytest.approx(alone.scores, abs=1e-5)
        np.testing.assert_allclose(crowded.logits, alone.logits, atol=1e-5)
        for layer in (1, 2):
            np.testing.assert_allclose(crowded.representations[layer], alone.representations[layer], atol=1e-5)


def test_in_8_bits_company_does_not_change_a_single_bit(tiny_8_bit_bundle, sample_texts):
    model = SentimentModel.load(tiny_8_bit_bundle)
    texts = [GOOD, *sample_texts[:30], " ".join(sample_texts[:20])]
    runs = []
    tokenized = [model.tokenize(text) for text in texts]
    together = model.predict_tokenized(tokenized, explain=True, layers=[1, 2], before_each_run=lambda: runs.append(1))
    assert 1 < len(runs) < len(texts)
    for text, crowded in zip(texts, together, strict=True):
        (alone,) = model.represent([text], layers=[1, 2])
        np.testing.assert_array_equal(crowded.logits, alone.logits)
        for layer in (1, 2):
            np.testing.assert_array_equal(crowded.representations[layer], alone.representations[layer])
        total = crowded.contributions.sum(axis=0) + bias(model)
        np.testing.assert_allclose(total, crowded.logits, atol=1e-5)


def test_more_texts_than_one_batch_come_back_in_order(model, sample_texts):
    texts = sample_texts * 3
    answers = model.predict(texts)
    assert [answer.tokens[0].text for answer in answers] == [model.predict([text])[0].tokens[0].text for text in texts]


def test_scores_are_the_softmax_of_cooled_logits_and_polarity_their_expectation(model):
    (answer,) = model.predict([GOOD])
    exponentials = np.exp(answer.logits.astype(float) / 1.5)  # the bundle's temperature
    expected = exponentials / exponentials.sum()
    assert list(answer.scores) == ["negative", "neutral", "positive"]
    np.testing.assert_allclose(list(answer.scores.values()), expected, atol=1e-9)
    assert answer.polarity == pytest.approx(expected[2] - expected[0])
    assert answer.score == max(answer.scores.values()) == answer.scores[answer.label]


def test_representations_have_both_directions_of_each_layer_asked_for(model):
    (answer,) = model.represent([GOOD], layers=[-1, 1, 2])
    assert list(answer.representations) == [2, 1]
    assert answer.representations[2].shape == (answer.token_count, 24)  # 2 x 12


@pytest.mark.parametrize("layer", [0, 3, -3])
def test_a_layer_that_does_not_exist(model, layer):
    with pytest.raises(ModelError, match=f"layer {layer} does not exist: the model has layers 1 to 2"):
        model.represent([GOOD], layers=[layer])


@pytest.mark.parametrize("text", ["", " \t\n", "\u00a0"])
def test_nothing_to_read_is_an_error_for_that_text(model, text):
    with pytest.raises(TextError, match="text 1: the text has no tokens") as caught:
        model.predict([GOOD, text])
    assert (caught.value.code, caught.value.index) == ("empty_text", 1)


def test_a_lone_surrogate_is_rejected_with_its_place(model):
    with pytest.raises(TextError, match="the character at offset 3 is a lone surrogate"):
        model.predict(["bad\ud800"])


def test_one_string_is_not_taken_for_a_list_of_letters(model):
    with pytest.raises(TypeError, match="pass a list of texts"):
        model.predict(GOOD)


def test_long_texts_lose_their_end_their_start_or_are_refused(model):
    words = [f"w{number}" for number in range(401)]  # the bundle takes 400 tokens
    text = " ".join(words)
    assert [token.text for token in model.predict([text])[0].tokens] == words[:400]
    assert [token.text for token in model.predict([text], truncate="start")[0].tokens] == words[1:]
    assert model.predict([text])[0].truncated
    with pytest.raises(TextError, match="the text has 401 tokens and the limit is 400"):
        model.predict([text], truncate="never")
    assert not model.predict([" ".join(words[:400])], truncate="never")[0].truncated


def test_unknown_words_are_marked_and_counted(model):
    (answer,) = model.predict(["wonderful zxqj"])
    assert [token.known for token in answer.tokens] == [True, False]
    assert answer.unknown_count == 1


@pytest.mark.parametrize(
    ("score", "unknown_share", "reasons"),
    [
        (0.9, 0.0, ()),
        (0.9, 0.3, ()),
        (0.8, 0.3, ()),
        (0.79, 0.3, ("low_score",)),
        (0.9, 0.31, ("unknown_tokens",)),
        (0.5, 1.0, ("unknown_tokens", "low_score")),
    ],
)
def test_an_answer_is_confident_if_score_and_known_tokens_suffice(score, unknown_share, reasons):
    calibration = Calibration(
        temperature=1, data="a.csv", rows=9, threshold=0.8, target_accuracy=0.95, max_unknown_share=0.3
    )
    assert calibration.reasons(score, unknown_share=unknown_share) == reasons
    assert calibration.is_confident(score, unknown_share=unknown_share) is (reasons == ())


def test_without_a_limit_unknown_tokens_do_not_count_and_without_a_threshold_nothing_does():
    older = Calibration(temperature=1, data="a.csv", rows=9, threshold=0.8, target_accuracy=0.95)
    assert older.reasons(0.9, unknown_share=1.0) == ()
    uncalibrated = Calibration(temperature=1, data=None, rows=0, max_unknown_share=0.3)
    assert uncalibrated.reasons(0.1, unknown_share=1.0) == ()
    assert uncalibrated.is_confident(0.1, unknown_share=1.0) is None
    hopeless = Calibration(temperature=1, data="a.csv", rows=9, threshold=None, target_accuracy=0.95)
    assert hopeless.reasons(0.99, unknown_share=0.0) == ("low_score",)


@pytest.mark.parametrize(("unknown", "limit", "confident"), [(3, 0.3, True), (4, 0.3, False), (10, 0.9, False)])
def test_the_share_of_unknown_tokens_decides_with_the_score(sure_bundle, unknown, limit, confident):
    bundle = bundles.read(sure_bundle)
    calibration = bundle.manifest.calibration.replace(threshold=0.0, max_unknown_share=limit)
    model = SentimentModel(replace(bundle, manifest=bundle.manifest.replace(calibration=calibration)))
    (answer,) = model.predict([" ".join(["zxqj"] * unknown + ["fine"] * (10 - unknown))])
    assert (answer.unknown_count, answer.token_count) == (unknown, 10)
    assert answer.confident is confident
    assert answer.reasons == (() if confident else ("unknown_tokens",))
