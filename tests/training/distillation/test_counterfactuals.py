"""Texts with an identity term, repeated with other terms of its group."""

import pytest

from training.distillation.counterfactuals import exchange, read_groups, with_counterfactuals
from training.distillation.teacher import TeacherError
from training.distillation.texts import Text

GROUPS = [["Irish", "Kenyan", "French", "Thai"], ["blind", "deaf"]]


def test_a_text_without_a_term_stays_alone():
    texts = [Text("The Irishman slept.", "neutral")]
    assert list(with_counterfactuals(texts, GROUPS, seed=0)) == texts


def test_a_text_with_a_term_is_followed_by_others_that_share_label_and_group():
    first, *others = with_counterfactuals([Text("An Irish film.", "neutral")], GROUPS, variants=3, seed=0)
    assert first == Text("An Irish film.", "neutral", group=0)
    assert {text.text for text in others} == {"A Kenyan film.", "A French film.", "A Thai film."}
    assert {(text.label, text.group) for text in others} == {("neutral", 0)}


def test_there_are_no_more_variants_than_other_terms():
    texts = list(with_counterfactuals([Text("a blind man", None)], GROUPS, variants=3, seed=0))
    assert [text.text for text in texts] == ["a blind man", "a deaf man"]


def test_the_seed_decides_which_terms_are_drawn():
    def draw(seed):
        texts = [Text("an Irish poet", None)] * 20
        return [text.text for text in with_counterfactuals(texts, GROUPS, variants=1, seed=seed)]

    assert draw(1) == draw(1) != draw(2)


@pytest.mark.parametrize(
    ("text", "term", "other", "expected"),
    [
        ("An Irish poet met an irish poet.", "Irish", "Kenyan", "A Kenyan poet met a Kenyan poet."),
        ("a blind man", "blind", "elderly", "an elderly man"),
        ("Blind people", "blind", "deaf", "Deaf people"),
        ("blindfolded and colour-blind", "blind", "deaf", "blindfolded and colour-blind"),
        ("the Irish", "Irish", "Thai", "the Thai"),
    ],
)
def test_a_term_is_exchanged_as_a_whole_word_with_its_article(text, term, other, expected):
    assert exchange(text, term, other) == expected


@pytest.mark.parametrize("content", ["[a, b]", "name: [alone]", "name: word", ": :"])
def test_a_file_of_another_form_is_refused(tmp_path, content):
    (tmp_path / "terms.yaml").write_text(content)
    with pytest.raises(TeacherError, match=r"terms\.yaml"):
        read_groups(tmp_path / "terms.yaml")
