"""Penn Treebank tokens to text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.data.readers.penn_treebank import join_tokens


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        ("I ca n't wo n't .", "I can't won't."),
        ("CA N'T stop", "CAN'T stop"),
        ("n't", "n't"),
        ("I 'd 've gone", "I'd've gone"),
        ("It 's the films ' fault , they 're bad", "It's the films' fault, they're bad"),
        ("one can not , gon na", "one cannot, gonna"),
        ("-LRB- Taymor -RRB- , utilizes", "(Taymor), utilizes"),
        ("-lrb- it 's dull -rrb- .", "(it's dull)."),
        ("-LSB- sic -RSB- and -LCB- x -RCB-", "[sic] and {x}"),
        ("new `` Conan '' and", 'new "Conan" and'),
        ("`` Wow ! '' he said", '"Wow!" he said'),
        ("` Tadpole ' was", "'Tadpole' was"),
        ("-LRB- ' I speak ' -RRB-", "('I speak')"),
        ("interference ... creative", "interference... creative"),
        ("... spiced with humor", "... spiced with humor"),
        ("songs -- a few -- and", "songs -- a few -- and"),
        ("`` songs -- ''", '"songs --"'),
        ("injuries , etc. .", "injuries, etc."),
        ("Why ? No !", "Why? No!"),
        ("$ 1.8 million , # 9 and 20 % : ok ; yes", "$1.8 million, #9 and 20%: ok; yes"),
        ("PB & J", "PB & J"),
        ("and\\/or \\*\\*\\*", "and/or ***"),
        ("the early '80s and 'em", "the early '80s and 'em"),
        (", but", ", but"),
        ("'s good", "'s good"),
        ("self-made man", "self-made man"),
    ],
)
def test_tokens_are_joined_as_a_person_writes(tokens, text):
    assert join_tokens(tokens.split()) == text


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["Zs", "Zl", "Zp", "Cc"]), min_size=1)))
def test_joining_loses_no_word(tokens):
    assert [character for character in join_tokens(tokens) if character.isalnum()] == [
        character for token in tokens for character in token if character.isalnum()
    ]
