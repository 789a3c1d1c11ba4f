"""The texts of the shipped model: which are labelled, which validate, and which sentences are cut from them."""

import gzip
import json
from dataclasses import replace

from training.data.examples import Example
from training.recipes.default.measured_sets import MEASURED
from training.recipes.default.sources import sentences
from training.recipes.default.texts import evenly, prepare


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def texts(path):
    return [row["text"] for row in rows(path)]


def test_labelled_texts_train_or_validate_and_none_is_excluded_or_measured(recipe):
    prepare(recipe)
    learned, checked = rows(recipe.labelled), rows(recipe.validation)
    reviews = [row for row in [*learned, *checked] if row["text"].startswith("Review")]
    assert len(reviews) == 18
    both = [row["text"] for row in [*learned, *checked]]
    assert len(set(both)) == len(both)
    assert "Left out on purpose." not in both
    assert "a TEST   review of mine." not in both  # a test review, but for case and spacing
    assert {row["label"] for row in learned} == {"negative", "neutral", "positive"}


def test_line_breaks_of_web_pages_become_line_breaks(recipe):
    prepare(recipe)
    assert "Review 0.\nI sat through all of it in silence." in [*texts(recipe.labelled), *texts(recipe.validation)]


def test_texts_without_a_label_and_sentences_of_documents_are_unlabelled(recipe):
    prepare(recipe)
    unlabelled = texts(recipe.unlabelled)
    assert "mams text 0." in unlabelled
    assert "It was never said what to think of film number 2." in unlabelled
    assert unlabelled.count("I sat through all of it in silence.") == 1  # although many reviews hold it
    assert "So short." not in unlabelled
    assert {row["label"] for row in rows(recipe.unlabelled)} == {""}


def test_an_unlabelled_text_is_read_once_and_is_not_a_labelled_one(recipe):
    given = ["Labelled: no.", "labelled... NO!", "Review 3. I sat through all of it in silence.", "Another one."]
    lines = [json.dumps({"id": f"unsup/{n}", "label": None, "text": text}) for n, text in enumerate(given)]
    (recipe.data / "imdb" / "unsup.jsonl.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    prepare(recipe)
    assert [text for text in texts(recipe.unlabelled) if text in given] == ["Labelled: no.", "Another one."]


def test_sentences_of_medium_length_are_drawn_by_the_seed():
    text = "Too short. " + " ".join(f"This is sentence number {number} of them." for number in range(50))
    drawn = [sentences([Example(text, "", 1)], seed=seed) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(drawn[0]) == 50
    assert "Too short." not in drawn[0]


def test_a_sentence_of_a_measured_set_is_not_learned(recipe):
    sentence = "It was never said what to think of film number 2."
    amazon = recipe.data / "amazon_reviews" / "reviews.jsonl.gz"
    amazon.write_bytes(gzip.compress((json.dumps({"label": 1, "text": sentence.upper()}) + "\n").encode()))
    prepare(recipe)
    assert sentence not in texts(recipe.unlabelled)


def test_every_measured_set_is_written_with_its_own_labels(recipe):
    prepare(recipe)
    for measured in MEASURED:
        written = rows(recipe.measured / measured.file_name)
        assert written
        assert {row["label"] for row in written} <= set(measured.labels)
    assert rows(recipe.measured / "phrasebank.jsonl") == [{"label": "positive", "text": "Profit rose."}]


def test_a_trial_takes_a_little_of_everything(recipe):
    small = replace(recipe, reviews=4, trees=2, sentences=2)
    prepare(small)
    assert len(small.training_trees.read_text().splitlines()) == 2
    assert sum(text.startswith("Review") for text in texts(small.labelled)) <= 4
    assert sum("sentence" in text or "never said" in text for text in texts(small.unlabelled)) <= 3 + 2


def test_a_part_of_a_sorted_list_is_from_all_over_it():
    assert evenly([Example("", str(number), 1) for number in range(10)], 4) == [
        Example("", str(number), 1) for number in (0, 3, 6, 9)
    ]
