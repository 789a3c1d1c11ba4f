"""Groups of texts that are nearly the same."""

from training.data.near_duplicates import group_near_duplicates


def test_texts_that_differ_in_links_names_and_numbers_are_one_group():
    texts = [
        "@united flight 1234 was late again http://t.co/abc",
        "my bag is lost",
        "@delta flight 99 was late again http://t.co/xyz",
        "MY BAG IS LOST!!",
    ]
    assert group_near_duplicates(texts) == [0, 1, 0, 1]


def test_one_more_word_in_a_long_text_makes_no_other_text():
    text = "the crew was kind and the food was warm but the flight left three hours late and nobody told us why"
    assert group_near_duplicates([text, f"well {text}", "the crew was kind"]) == [0, 0, 2]


def test_short_texts_that_differ_in_one_word_are_different():
    assert group_near_duplicates(["thank you so much", "thank you very much", "no"]) == [0, 1, 2]


def test_texts_without_words_are_one_group_only_if_they_are_equal():
    assert group_near_duplicates(["!!!", "???", "!!!", "@united", "@delta"]) == [0, 1, 0, 3, 4]


def test_nothing_gives_nothing():
    assert group_near_duplicates([]) == []
