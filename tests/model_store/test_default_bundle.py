"""The model that ships: whole, small, and as good as its card says."""

import numpy as np
import pytest

from model_store import SentimentModel
from model_store import bundle as bundles
from training.data.readers import ReadingOptions, read_examples

MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def model():
    return SentimentModel.load("default")


@pytest.mark.parametrize(
    ("text", "surfaces"),
    [
        ("cafe\u0301 good", ["cafe\u0301", "good"]),
        ("de\u0301ja\u0300 good", ["de\u0301", "ja\u0300", "good"]),
        ("\U0001f44d\U0001f3fd good", ["\U0001f44d\U0001f3fd", "good"]),
        ("\u2764\ufe0f good", ["\u2764\ufe0f", "good"]),
        ("\u0301 good", ["good"]),
    ],
)
def test_a_token_spans_the_marks_on_its_last_character(model, text, surfaces):
    (prediction,) = model.predict([text], explain=True)
    assert [token.text for token in prediction.tokens] == surfaces


def test_every_file_fits_the_repository():
    sizes = {path.name: path.stat().st_size for path in bundles.DEFAULT.iterdir()}
    assert set(sizes) == {"manifest.json", "evaluation.json", "model.onnx", "tokenizer.json", "README.md"}
    assert max(sizes.values()) <= 16 * MEGABYTE
    assert sum(sizes.values()) <= 10_000_000


def test_no_figure_on_the_card_jumps_within_its_interval(model):
    # A label that a file lacks once made macro-F1 on IMDb 61.6% with an interval from 61.4% to 92.5%.
    for figure in model.evaluation.metrics:
        if figure.metric in {"accuracy", "macro_f1", "polar_accuracy"}:
            sides = sorted([figure.value - figure.low, figure.high - figure.value])
            assert sides[1] < 2 * sides[0], (figure.data, figure.metric)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("The movie was terribly exciting!", "positive"),
        ("The movie was terribly boring!", "negative"),
        ("I expected to love it, but fell asleep", "negative"),
        ("I can't say I liked it.", "negative"),
        ("I used to hate this place but now I love it", "positive"),
        ("not bad at all", "positive"),
        ("It has only got better.", "positive"),
        ("One star.", "negative"),
        ("nobody would call this unpleasant", "neutral"),
        ("It runs for two hours.", "neutral"),
        ("The film opens on Friday.", "neutral"),
        ("Water boils at 100 degrees Celsius.", "neutral"),
        ("The train leaves at nine.", "neutral"),
    ],
)
def test_it_labels_as_a_person_would(model, text, label):
    assert model.predict([text])[0].label == label


def test_terribly_weighs_differently_in_other_company(model):
    exciting, boring = model.predict(
        ["The movie was terribly exciting!", "The movie was terribly boring!"], explain=True
    )
    assert exciting.tokens[3].text == boring.tokens[3].text == "terribly"
    towards_positive = [answer.contributions[3] @ [-1, 0, 1] for answer in (exciting, boring)]
    assert towards_positive[0] > towards_positive[1] + 0.2


def test_company_does_not_change_a_single_bit(model):
    texts = ["not bad at all", "The movie was terribly exciting!", "word " * 400]
    for text, crowded in zip(texts, model.predict(texts), strict=True):
        np.testing.assert_array_equal(model.predict([text])[0].logits, crowded.logits)


def test_emoji_are_read(model):
    up, down = model.predict(["\N{THUMBS UP SIGN}", "\N{THUMBS DOWN SIGN}"])
    assert (up.label, down.label) == ("positive", "negative")
    assert up.unknown_count == down.unknown_count == 0


def test_of_some_answers_it_is_sure_and_of_some_not(model):
    sure, unsure = model.predict(["A masterpiece from start to end, I loved it.", "The battery lasts almost an hour."])
    assert (sure.confident, unsure.confident) == (True, False)


@pytest.mark.parametrize(
    "text",
    [
        "הסרט היה מצוין",
        "영화는 정말 좋았어요",
        "Этот фильм был ужасен!",
        "\N{SNOWMAN}" * 3,
    ],
)
def test_it_is_not_sure_of_what_it_cannot_read(model, text):
    (answer,) = model.predict([text])
    assert answer.confident is False
    assert "unknown_tokens" in answer.reasons


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("\N{BLACK HEART SUIT}" * 3, "positive"),
        ("The food was terrible\N{UPSIDE-DOWN FACE}", "negative"),
        ("Great\N{TRADE MARK SIGN} soup\N{BLACK STAR}\N{BLACK STAR}", "positive"),
        ("I don\N{ACUTE ACCENT}t like it.", "negative"),
        ("I don\u00e2\u20ac\u2122t like it.", "negative"),
        ("It was woooonderful.", "positive"),
        ("Terrible\u65e5\u672c", "negative"),
    ],
)
def test_symbols_and_long_letters_do_not_hide_a_word(model, text, label):
    (answer,) = model.predict([text])
    assert answer.label == label


@pytest.mark.parametrize(
    ("stars", "label"), [(1, "negative"), (2, "negative"), (3, "neutral"), (4, "positive"), (5, "positive")]
)
def test_a_rating_of_five_stars_as_signs_is_read(model, stars, label):
    (answer,) = model.predict(["\N{BLACK STAR}" * stars + "\N{WHITE STAR}" * (5 - stars)])
    assert answer.label == label


def test_one_unknown_word_in_a_sentence_does_not_make_it_unsure(model):
    (answer,) = model.predict(["The food at \N{CJK UNIFIED IDEOGRAPH-597D} was really good, I loved it."])
    assert (answer.unknown_count, answer.confident, answer.reasons) == (1, True, ())


@pytest.mark.parametrize("file", ["test.txt.gz", "stsa.binary.test"])
def test_it_is_right_on_nine_of_ten_sentences_of_sst_2(model, real_data, file):
    # Tai et al. 2015, table 3: bidirectional LSTM 87.5. Trees give natural text, the other file lower case.
    known = {"0": "negative", "1": "negative", "2": None, "3": "positive", "4": "positive"}
    if file == "stsa.binary.test":
        known = {"0": "negative", "1": "positive"}
    rows = list(read_examples(real_data / "sst" / file, ReadingOptions(label_map=known, ptb_tokens=True)))
    assert len(rows) == 1821
    scores = np.array([list(answer.scores.values()) for answer in model.predict([row.text for row in rows])])
    right = (scores[:, 2] > scores[:, 0]) == [row.label == "positive" for row in rows]
    assert right.mean() >= 0.9
