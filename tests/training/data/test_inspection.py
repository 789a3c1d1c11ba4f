"""What is found in a labeled file: labels, lengths, unknown words, repeated and suspicious texts."""

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from training.data.examples import Example
from training.data.inspection import MAX_LABELS, VERY_LONG, inspect_examples
from training.data.label_names import labels_alike
from training.data.repeated_texts import RepeatedTexts


@pytest.fixture
def found():
    """Inspect (text, label) rows; the vocabulary has the words a, good and film. The first row is line 2."""
    pipeline = Tokenizer(WordLevel({"[UNK]": 0, "a": 1, "good": 2, "film": 3}, unk_token="[UNK]"))
    pipeline.pre_tokenizer = Whitespace()

    def found(*rows):
        examples = (Example(text, label, line) for line, (text, label) in enumerate(rows, start=2))
        return inspect_examples(examples, pipeline, unknown_token="[UNK]", max_unknown_share=0.5)

    return found


def test_labels_are_counted_the_most_frequent_first(found):
    inspected = found(("a", "x"), ("b", "y"), ("c", "y"))
    assert inspected.rows == 3
    assert list(inspected.labels.items()) == [("y", 2), ("x", 1)]


def test_lengths_are_quantiles_of_tokens(found):
    inspected = found(*((" ".join(["film"] * length), "x") for length in (5, 1, 4, 2, 3)))
    # Of 1 to 5 the median is 3 and the quartiles are 2 and 4.
    assert inspected.tokens == {"shortest": 1, "5%": 2, "25%": 2, "median": 3, "75%": 4, "95%": 5, "longest": 5}


def test_unknown_words_are_those_of_the_text(found):
    inspected = found(("a good movie", "x"), ("a movie Film", "x"))
    assert inspected.unknown_share == pytest.approx(3 / 6)
    assert inspected.unknown_words == {"movie": 2, "Film": 1}


def test_a_text_of_mostly_unknown_words_is_suspicious(found):
    inspected = found(("a good film", "x"), ("ein guter Film", "x"), ("good movie", "x"))
    assert inspected.suspicious["mostly unknown words"].lines == [3]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("fish &amp; chips", "HTML"),
        ("good<br/>film", "HTML"),
        ("caf\N{REPLACEMENT CHARACTER}", "damaged characters"),
        ("cafÃ©", "damaged characters"),
        ("donâ€™t", "damaged characters"),
        ("Das Essen war kalt und der Kellner sehr unfreundlich", "perhaps not English"),
        ("film " * (VERY_LONG + 1), "more than 1,000 tokens"),
    ],
)
def test_an_odd_text_is_noted_by_its_line(found, text, kind):
    inspected = found(("a good film", "x"), (text, "x"))
    assert inspected.suspicious[kind].rows == 1
    assert inspected.suspicious[kind].lines == [3]


def test_a_text_without_a_token_is_noted(found):
    assert found((" ", "x"), ("a", "x")).suspicious["without a token"].lines == [2]


@pytest.mark.parametrize(
    "text", ["The food was cold and the waiter was rude to us", "très joli café", "R&B at AT&T", "Best pizza ever"]
)
def test_an_ordinary_text_is_not(found, text):
    assert set(found((text, "x")).suspicious) <= {"mostly unknown words"}


def test_more_labels_than_a_classifier_has_are_counted_together(found):
    inspected = found(*((f"text {row}", f"label {row}") for row in range(MAX_LABELS + 10)))
    assert len(inspected.labels) == MAX_LABELS + 1
    assert inspected.labels[""] == 10


def repeated(*rows):
    texts = RepeatedTexts()
    for line, (text, label) in enumerate(rows, start=1):
        texts.add(text, label=label, line=line)
    return texts


def test_texts_that_differ_by_case_and_punctuation_are_duplicates():
    found = repeated(("Good film!", 0), ("good, FILM", 0), ("bad", 1), ("good film", 1), ("Bad.", 1)).duplicates()
    assert (found.texts, found.rows, found.first) == (2, 3, [[1, 2, 4], [3, 5]])


def test_a_contradiction_is_a_text_with_several_labels():
    found = repeated(("good", 0), ("bad", 1), ("Good", 0), ("Bad", 0)).contradictions()
    assert (found.texts, found.first) == (1, [[2, 4]])


def test_similar_texts_differ_by_numbers_names_links_and_order():
    rows = [
        ("@ann your flight 12 was late again http://t.co/a", 0),
        ("flight 345 was late again, your @bob", 0),
        ("your flight was never late", 0),
        ("Your flight was never late!", 0),  # the same text, so not similar
        ("late 1", 0),
        ("late 2", 0),  # too short to tell
    ]
    found = repeated(*rows).similar()
    assert (found.texts, found.first) == (1, [[1, 2]])


def test_no_texts_repeat_one_another_in_a_file_without_repeats():
    texts = repeated(("a", 0), ("b", 0))
    assert [found.texts for found in (texts.duplicates(), texts.contradictions(), texts.similar())] == [0, 0, 0]


def test_labels_that_differ_by_case_or_space_are_alike():
    assert labels_alike(["Very good", "bad", "very  good", "verygood", "Bad "]) == [
        ["Very good", "very  good", "verygood"],
        ["bad", "Bad "],
    ]
