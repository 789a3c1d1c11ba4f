"""The texts of the shipped model: labeled, unlabeled and to measure on, and nothing in two of these."""

import gzip
import json
from dataclasses import replace

import pytest

from training.data.examples import Example
from training.recipes.default.measured_sets import MEASURED
from training.recipes.default.sources import sentences
from training.recipes.default.texts import distinct_texts, evenly, prepare


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def texts(path):
    return {row["text"] for row in rows(path)}


def test_labeled_texts_are_of_all_domains_and_no_text_is_in_two_parts(recipe):
    prepare(recipe)
    labeled, validation, unlabeled = map(texts, (recipe.labeled, recipe.validation, recipe.unlabeled))
    assert len([text for text in labeled | validation if text.startswith("Review ")]) == 18
    assert "This is text 0 of goemotions." in labeled | validation
    assert "This is text 1 of senti4sd." in labeled | validation
    assert not labeled & validation
    assert not (labeled | validation) & unlabeled
    assert {row["label"] for row in rows(recipe.labeled)} == {"negative", "neutral", "positive"}


def test_excluded_and_measured_texts_are_not_read(recipe):
    prepare(recipe)
    read = texts(recipe.labeled) | texts(recipe.validation) | texts(recipe.unlabeled)
    assert "Left out on purpose." not in read
    assert "a TEST   review of mine." not in read  # a test review, but for case and spacing


def test_texts_without_one_of_the_three_labels_are_unlabeled(recipe):
    prepare(recipe)
    unlabeled = texts(recipe.unlabeled)
    assert {f"This is text {n} of goemotions." for n in (3, 4)} <= unlabeled
    assert {"This is text 1 of newsmtsc.", "This is text 0 of mams."} <= unlabeled
    assert {row["label"] for row in rows(recipe.unlabeled)} == {""}


def test_line_breaks_of_web_pages_become_line_breaks(recipe):
    prepare(recipe)
    assert "Review 0.\nI sat through all of it in silence." in texts(recipe.labeled) | texts(recipe.validation)


def test_sentences_come_from_the_documents_that_are_learned_from(recipe):
    prepare(recipe)
    unlabeled = [row["text"] for row in rows(recipe.unlabeled)]
    assert "Nobody said what to think of film number 2." in unlabeled
    assert unlabeled.count("I sat through all of it in silence.") == 1  # many reviews hold it
    assert not any("test" in text for text in unlabeled)


@pytest.mark.parametrize("measured", MEASURED, ids=lambda measured: measured.file_name)
def test_every_set_to_measure_on_is_written(recipe, measured):
    prepare(recipe)
    content = rows(recipe.measured / measured.file_name)
    assert content
    assert {row["label"] for row in content} <= set(measured.labels)


def test_a_sentence_of_a_set_to_measure_on_is_not_learned(recipe):
    sentence = "Nobody said what to think of film number 2."
    amazon = recipe.data / "amazon_reviews" / "reviews.jsonl.gz"
    amazon.write_bytes(gzip.compress((json.dumps({"label": 1, "text": sentence.upper()}) + "\n").encode()))
    prepare(recipe)
    assert sentence not in texts(recipe.unlabeled)


def test_distinct_texts_differ_in_more_than_case_and_punctuation():
    known = [Example("Labelled: no.", "negative", 1)]
    new = [Example(text, "", 1) for text in ("labelled... NO!", "Another one.", "another ONE")]
    assert [example.text for example in distinct_texts(new, known=known)] == ["Another one."]


def test_sentences_of_medium_length_are_drawn_by_the_seed():
    text = "Too short. " + " ".join(f"This is sentence number {number} of them." for number in range(50))
    drawn = [sentences([Example(text, "", 1)], seed=seed) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(drawn[0]) == 50
    assert "Too short." not in drawn[0]


def test_a_trial_takes_a_little_of_everything(recipe):
    small = replace(recipe, reviews=4, trees=2, sentences=2)
    prepare(small)
    assert len(small.training_trees.read_text().splitlines()) == 2
    assert len([text for text in texts(small.labeled) if text.startswith("Review ")]) <= 4


def test_a_part_of_a_sorted_list_is_from_all_over_it():
    assert evenly([Example("", str(number), 1) for number in range(10)], 4) == [
        Example("", str(number), 1) for number in (0, 3, 6, 9)
    ]
