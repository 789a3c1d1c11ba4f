"""Two writings of one text are the same text, and two texts are not."""

import pytest

from training.data.text_fingerprint import count_words, text_fingerprint


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("I can't say I liked it (at all).", "i ca n't say i liked it -lrb- at all -rrb- ."),
        ('He said "no", and/or yes...', "He said `` no '' , and\\/or yes ..."),
        ("Good film.<br /><br />See it!", "good film. see it"),
        ("fish &amp; chips, &quot;nice&quot;", 'Fish & chips, "nice"'),
        ("\ufb01ne\u00a0 Film", "FINE film"),  # a ligature and a space that does not break
        ("cre\u0300me bru\u0302le\u0301e", "crème brûlée"),  # combining accents
        ("Stra\u00dfe", "STRASSE"),
        ("It\u2019s so\u2014so", "Its so-so"),
        (":-)", ":-)"),
    ],
)
def test_writing_makes_no_difference(one, other):
    assert text_fingerprint(one) == text_fingerprint(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("It was good.", "It was not good."),
        ("creme", "crème"),
        ("हिंदी", "हद"),  # the vowels are marks of their own
        (":-)", ":-("),
        ("Room 12", "Room 21"),
    ],
)
def test_another_word_makes_another_text(one, other):
    assert text_fingerprint(one) != text_fingerprint(other)


def test_words_are_what_holds_a_letter_or_digit():
    assert count_words("I don't know - it is 5 o'clock!") == 7
    assert count_words("i do n't know .") == 4
    assert count_words("?! ... :)") == 0
    assert count_words("yes.<br />No.") == 2
