"""Texts by the thousand: iterables, streams, errors in place, vectors, tables and data frames."""

from itertools import count, islice

import numpy as np
import pytest

from model_store import ModelError, SentimentModel, TextError, table

MIXED = ["Fine soup.", "", None, float("nan"), 7, "Cold soup!"]
COLUMNS = [
    "label",
    "score",
    "score_negative",
    "score_neutral",
    "score_positive",
    "confident",
    "reasons",
    "polarity",
    "token_count",
    "unknown_count",
    "truncated",
]
CODES = {1: "empty_text", 2: "empty_text", 3: "empty_text", 4: "invalid_text"}


@pytest.fixture(scope="module")
def model(tiny_bundle):
    return SentimentModel.load(tiny_bundle)


def test_any_iterable_is_predicted_as_a_list_is(model):
    texts = ["Fine soup.", "Cold soup!"]
    expected = [answer.scores for answer in model.predict(texts)]
    assert [answer.scores for answer in model.predict(iter(texts))] == expected
    assert [answer.scores for answer in model.predict(np.array(texts, dtype=object))] == expected


def test_a_bad_text_ends_a_list_unless_errors_are_kept(model):
    with pytest.raises(TextError, match="text 1: the text has no tokens"):
        model.predict(MIXED)
    answers = model.predict(MIXED, errors="keep")
    assert {index: answer.code for index, answer in enumerate(answers) if isinstance(answer, TextError)} == CODES
    assert [answers[index].label for index in (0, 5)] == [
        answer.label for answer in model.predict([MIXED[0], MIXED[5]])
    ]


def test_a_stream_gives_each_error_in_its_place_with_its_position(model):
    answers = list(model.stream(MIXED))
    errors = [answer for answer in answers if isinstance(answer, TextError)]
    assert {error.index: error.code for error in errors} == CODES
    assert len(answers) == len(MIXED)


def test_a_stream_answers_while_texts_are_still_coming(model):
    answers = model.stream(f"soup number {number}" for number in count())
    assert [answer.tokens[-1].text for answer in islice(answers, 3)] == ["0", "1", "2"]


def test_a_stream_refuses_a_layer_before_it_reads_a_text(model):
    with pytest.raises(ModelError, match="layer 3 does not exist"):
        model.stream(["soup"], layers=[3])


def test_one_string_is_not_taken_for_a_list(model):
    for call in (model.predict, model.represent, model.embed, lambda text: list(model.stream(text))):
        with pytest.raises(TypeError, match="one string"):
            call("soup")


@pytest.mark.parametrize(("asked", "number"), [(-1, 2), (2, 2), (-2, 1), (1, 1)])
def test_representations_are_read_by_any_number_of_the_layer(model, asked, number):
    (answer,) = model.represent(["Fine soup."], layers=[asked])
    assert list(answer.representations) == [number]
    assert answer.representations[asked] is answer.representations[number]
    assert answer.representations[number - 3] is answer.representations[number]


def test_a_layer_that_was_not_asked_for_is_named(model):
    (answer,) = model.represent(["Fine soup."])
    with pytest.raises(KeyError, match=r"layer 1 was not asked for \(layers asked for: 2\)"):
        answer.representations[1]
    assert 1 not in answer.representations


def test_a_text_is_embedded_as_maximum_and_mean_over_its_tokens(model):
    texts = ["Fine soup.", "Cold soup, and cold rice, and a very long evening!"]
    vectors = model.embed(texts)
    for vector, answer in zip(vectors, model.represent(texts), strict=True):
        matrix = answer.representations[-1].astype(np.float64)
        half = len(vector) // 2
        np.testing.assert_allclose(vector[:half], [max(column) for column in matrix.T], atol=1e-6)
        np.testing.assert_allclose(vector[half:], [sum(column) / len(matrix) for column in matrix.T], atol=1e-6)


def test_a_bad_text_has_a_vector_of_nan_if_errors_are_kept(model):
    vectors = model.embed(["soup", None], errors="keep")
    assert np.isnan(vectors).all(axis=1).tolist() == [False, True]
    with pytest.raises(TextError, match="text 1: the text is missing"):
        model.embed(["soup", None])
    assert model.embed([]).shape == (0, vectors.shape[1])


def test_the_same_text_is_the_most_similar_and_bad_ones_are_left_out(model):
    texts = ["Cold rice.", None, "Fine soup.", ""]
    matches = model.similar("Fine soup.", texts)
    assert [match.index for match in matches] == [2, 0]
    assert matches[0].text == "Fine soup."
    assert matches[0].cosine == pytest.approx(1)
    first, second = model.embed(["Fine soup.", "Cold rice."]).astype(np.float64)
    expected = sum(first * second) / (sum(first**2) * sum(second**2)) ** 0.5
    assert matches[1].cosine == pytest.approx(expected, abs=1e-6)
    assert len(model.similar("Fine soup.", texts, top=1)) == 1


def test_rows_of_a_table_have_one_plain_value_a_cell(model):
    (answer,) = model.predict(["Fine soup."])
    assert table.rows([answer, TextError("empty_text", "no tokens")], prefix="p_") == [
        {
            "p_label": answer.label,
            "p_score": answer.score,
            "p_score_negative": answer.scores["negative"],
            "p_score_neutral": answer.scores["neutral"],
            "p_score_positive": answer.scores["positive"],
            "p_confident": None,
            "p_reasons": "",
            "p_polarity": answer.polarity,
            "p_token_count": 3,
            "p_unknown_count": 0,
            "p_truncated": False,
            "p_error": None,
        },
        dict.fromkeys(f"p_{name}" for name in COLUMNS) | {"p_error": "no tokens"},
    ]


def test_columns_of_a_table_are_its_rows_turned(model):
    answers = model.predict(["Fine soup.", ""], errors="keep")
    rows = table.rows(answers)
    assert table.columns(answers) == {name: [row[name] for row in rows] for name in rows[0]}
