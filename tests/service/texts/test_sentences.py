"""Sentences: where they are, that they cover the text, and that each is read as if it had come alone."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from model_store import SentimentModel, TextError
from service.predictor import Predictor
from service.schemas import PredictRequest
from service.settings import Settings
from service.texts import sentences

# Every character, and more of what a splitter looks at.
PIECES = st.one_of(
    st.characters(exclude_categories=["Cs"]),
    st.sampled_from(
        [
            ". ",
            "! ",
            "?\n",
            "<br />",
            "\u2022 ",
            "Pros: ",
            "...",
            "Mr. ",
            "U.S. ",
            "J. ",
            "\u00a0J.",
            "\u2028A. ",
            "\r\n\r\n",
            "。",
            '"',
            "(",
        ]
    ),
    st.sampled_from(["fine ", "The soup", "👩‍👩‍👧", "e\u0301", "ﬁ", "½"]),
)
TEXTS = st.lists(PIECES, max_size=60).map("".join)


@pytest.fixture(scope="module")
def model(tiny_bundle):
    return SentimentModel.load(tiny_bundle)


@pytest.fixture(scope="module")
def shipped():
    return SentimentModel.load("default")


def surfaces(text):
    return [text.text[part.starts[0] : part.ends[-1]] for part in sentences.split(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The soup was cold. The waiter was kind!", ["The soup was cold.", "The waiter was kind!"]),
        ("Mr. Smith saw it at 5 p.m. in the U.S. and left.", ["Mr. Smith saw it at 5 p.m. in the U.S. and left."]),
        ("It cost $3.50. Fine.", ["It cost $3.50.", "Fine."]),
        ("  Fine.  \n\n  Cold.  ", ["Fine.", "Cold."]),
        ("good", ["good"]),
        ("これは良い。とても。", ["これは良い。", "とても。"]),
        ("Good, said\u00a0J. Smith. Cold.", ["Good, said\u00a0J. Smith.", "Cold."]),
        ("Nice place\nBad food\r\nslow", ["Nice place", "Bad food", "slow"]),
        ("Good.<br /><br />Bad food<BR>slow", ["Good.<br /><br />", "Bad food<BR>", "slow"]),
        ("Good.\n<br />\nBad.", ["Good.\n<br />", "Bad."]),
        ("<br />Good. Bad.", ["<br />Good.", "Bad."]),
        ("\u2022 great food \u2022 slow service", ["\u2022 great food", "\u2022 slow service"]),
        ("Pros: great food Cons: slow.", ["Pros: great food", "Cons: slow."]),
        ("Pros:\n- great food\n- cheap\nCons:\n- slow", ["Pros:", "- great food", "- cheap", "Cons:", "- slow"]),
        ("I weighed the pros and cons: fine.", ["I weighed the pros and cons: fine."]),
    ],
)
def test_sentences_are_where_a_reader_sees_them(shipped, text, expected):
    assert surfaces(shipped.tokenize(text)) == expected


@pytest.mark.parametrize("name", ["model", "shipped"])
@settings(max_examples=300, deadline=None)
@example(text="A\u2028J. B\u0085C. D")
@given(text=TEXTS)
def test_sentences_are_in_order_apart_and_have_every_token_on_any_unicode(request, name, text):
    try:
        whole = request.getfixturevalue(name).tokenize(text)
    except TextError:
        return
    parts = list(sentences.split(whole))
    for field in ("ids", "starts", "ends", "known"):
        np.testing.assert_array_equal(np.concatenate([getattr(part, field) for part in parts]), getattr(whole, field))
    edges = [(int(part.starts[0]), int(part.ends[-1])) for part in parts]
    assert all(0 <= start < end <= len(text) for start, end in edges)
    assert all(before[1] <= after[0] for before, after in pairwise(edges))


def test_a_sentence_is_read_as_if_it_had_come_alone(shipped):
    texts = ["The movie was terribly exciting! But the end was flat. Not bad, then.", "Only one sentence here."]
    answer = Predictor(shipped, Settings()).predict(PredictRequest(texts=texts, sentences=True))
    assert [len(result.sentences) for result in answer.results] == [3, 1]
    for text, result in zip(texts, answer.results, strict=True):
        for sentence in result.sentences:
            (alone,) = shipped.predict([text[sentence.start : sentence.end]])
            assert sentence.label == alone.label
            assert sentence.scores == pytest.approx(alone.scores, abs=1e-5)
            assert sentence.polarity == pytest.approx(alone.polarity, abs=1e-5)


def test_sentences_come_only_when_asked_for(shipped):
    (result,) = Predictor(shipped, Settings()).predict(PredictRequest(texts=["Fine. Cold."])).results
    assert result.sentences is None


@pytest.mark.parametrize("truncate", ["end", "start"])
def test_of_a_text_that_is_too_long_only_what_was_read_has_sentences(model, truncate):
    text = "fine cold. " * 400  # three tokens each, and the limit is 400
    (result,) = (
        Predictor(model, Settings())
        .predict(PredictRequest(texts=[text], sentences=True, explain=True, truncate=truncate))
        .results
    )
    assert result.truncated
    assert (result.sentences[0].start, result.sentences[-1].end) == (result.tokens[0].start, result.tokens[-1].end)
    assert len(result.sentences) == 134  # 400 tokens are 133 sentences and a third


def test_a_text_the_splitter_cannot_take_counts_as_one_sentence(model, monkeypatch, caplog):
    class PanicException(BaseException):
        """What a panic in Rust looks like here."""

    def panic(*_arguments):
        raise PanicException

    monkeypatch.setattr("service.texts.sentences.sentencex.get_sentence_boundaries", panic)
    assert surfaces(model.tokenize("fine. private.")) == ["fine. private."]
    assert "private" not in caplog.text


@pytest.fixture
def looked_at(monkeypatch):
    """What the splitter was given."""
    original = sentences.sentencex.get_sentence_boundaries
    given = []

    def note(language, text):
        given.append(text)
        return original(language, text)

    monkeypatch.setattr("service.texts.sentences.sentencex.get_sentence_boundaries", note)
    return given


@pytest.mark.parametrize("truncate", ["end", "start"])
def test_only_what_the_model_reads_is_split(shipped, looked_at, truncate):
    text = shipped.tokenize("The soup was cold. " * 5000, truncate=truncate)
    parts = list(sentences.split(text))
    assert sum(map(len, looked_at)) < 1.1 * (text.ends[-1] - text.starts[0])
    assert len(text.text) > 4 * sum(map(len, looked_at))
    assert len(parts) == pytest.approx(len(text) / 5, abs=1)  # of five tokens each


@pytest.mark.parametrize("text", ["“" * 100_000, "“ " * 50_000, ("“" + " " * 190) * 500, "(\n" * 30_000, "a" * 90_000])
def test_the_splitter_sees_no_more_than_a_window_at_once(looked_at, text):
    list(sentences._punctuation_ends(text))
    assert max(map(len, looked_at)) <= sentences.WINDOW
    assert sum(map(len, looked_at)) < 1.1 * len(text)


def test_windows_have_the_sentences_of_the_whole(monkeypatch):
    text = (
        'Mr. Smith saw it at 5 p.m. and left. "It was fine," he said. It cost $3.50! Why? (No one knows.) '
        "The U.S. version is longer... I think. これは良い。とても。 Dr. J. Doe agreed: not bad.\n\n"
    ) * 20
    whole = list(sentences._punctuation_ends(text))
    assert len(whole) > 100
    monkeypatch.setattr(sentences, "WINDOW", 400)
    assert list(sentences._punctuation_ends(text)) == whole
