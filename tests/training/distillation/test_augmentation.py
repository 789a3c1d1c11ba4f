"""Variants of texts: what each rule does, alone."""

import pytest

pytest.importorskip("textblob", reason="the extra distill is not installed")

from training.distillation.augmentation import MASK, Chances, augmented
from training.distillation.texts import Text

TEXTS = [Text("The movie was terribly exciting!", "positive"), Text("A dull film, and a slow one.", "negative")]
NEVER = {"mask": 0.0, "swap": 0.0, "piece": 0.0}


def variants(seed=1, count=20, **chances):
    chances = Chances(**{**NEVER, **chances})
    return [text for text in augmented(TEXTS, variants=count, seed=seed, chances=chances) if text not in TEXTS]


def test_texts_keep_their_labels_and_variants_have_none():
    found = list(augmented(TEXTS, variants=5, seed=1, chances=Chances(mask=0.5)))
    assert [text for text in found if text.label] == TEXTS
    assert len(found) > len(TEXTS)


def test_without_a_rule_there_is_nothing_new():
    assert variants() == []


def test_a_masked_word_gives_way_to_a_character_that_no_vocabulary_holds():
    for variant in variants(mask=0.3):
        words = variant.text.split()
        assert MASK in words
        original = next(text.text.split() for text in TEXTS if len(text.text.split()) == len(words))
        assert all(word in {MASK, old} for word, old in zip(words, original, strict=True))


def test_a_swapped_word_is_of_the_same_part_of_speech():
    # The nouns are movie, film and one; nothing but another noun may stand where "movie" stood.
    swapped = {variant.text.split()[1] for variant in variants(swap=0.5, count=60) if len(variant.text.split()) == 5}
    assert swapped <= {"movie", "film,", "one."}
    assert len(swapped) > 1


def test_a_piece_is_at_most_five_words_in_a_row():
    found = variants(piece=1.0)
    assert found
    for variant in found:
        assert 1 <= len(variant.text.split()) <= 5
        assert any(variant.text in text.text for text in TEXTS)


def test_the_seed_decides():
    assert variants(seed=1, mask=0.2, swap=0.2, piece=0.2) == variants(seed=1, mask=0.2, swap=0.2, piece=0.2)
    assert variants(seed=1, mask=0.2) != variants(seed=2, mask=0.2)


def test_nothing_comes_twice():
    texts = [text.text for text in augmented(TEXTS, variants=100, seed=1, chances=Chances(piece=1.0))]
    assert len(texts) == len(set(texts))
