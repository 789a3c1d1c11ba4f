"""The texts of the shipped model: which reviews, and which sentences of them."""

import gzip
import json
from dataclasses import replace

from training.recipes.default.reviews import sentences

from training.data.examples import Example
from training.recipes.default.texts import evenly, prepare


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_reviews_are_parted_and_none_is_read_that_should_not_be(recipe):
    prepare(recipe)
    learnt, checked = (rows(recipe.texts / f"imdb-{part}.jsonl") for part in ("train", "validation"))
    assert len(learnt) + len(checked) == 18
    assert not {row["text"] for row in learnt} & {row["text"] for row in checked}
    texts = {row["text"] for row in [*learnt, *checked]}
    assert "Left out on purpose." not in texts
    assert "a TEST   review of mine." not in texts  # a test review, but for case and spacing
    assert {row["label"] for row in learnt} == {"negative", "positive"}


def test_line_breaks_of_web_pages_become_a_persons(recipe):
    prepare(recipe)
    assert rows(recipe.texts / "imdb-train.jsonl")[0]["text"] == "Review 0.\nI sat through all of it in silence."


def test_sentences_come_from_reviews_to_learn_from_alone(recipe):
    prepare(recipe)
    found = (recipe.texts / "sentences.txt").read_text().splitlines()
    assert "Nobody said what to think of film number 2." in found
    assert "I sat through all of it in silence." in found  # once, although many reviews hold it
    assert len(found) == 4
    assert not any("test" in sentence for sentence in found)


def test_unlabelled_reviews_are_each_read_once_and_none_of_them_is_a_labelled_one(recipe):
    texts = ["Labelled: no.", "labelled... NO!", "Review 3. I sat through all of it in silence.", "Another one."]
    lines = [json.dumps({"id": f"unsup/{n}", "label": None, "text": text}) for n, text in enumerate(texts)]
    (recipe.data / "imdb" / "unsup.jsonl.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    prepare(recipe)
    found = rows(recipe.texts / "imdb-unlabelled.jsonl")
    assert found == [{"label": "", "text": "Labelled: no."}, {"label": "", "text": "Another one."}]


def test_sentences_of_middling_length_are_drawn_by_the_seed():
    text = "Too short. " + " ".join(f"This is sentence number {number} of them." for number in range(50))
    drawn = [sentences([Example(text, "", 1)], seed=seed) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(drawn[0]) == 50
    assert "Too short." not in drawn[0]


def test_a_sentence_of_a_file_to_measure_on_is_not_learnt(recipe):
    sentence = "Nobody said what to think of film number 2."
    amazon = recipe.data / "amazon_reviews" / "reviews.jsonl.gz"
    amazon.write_bytes(gzip.compress((json.dumps({"label": 1, "text": sentence.upper()}) + "\n").encode()))
    prepare(recipe)
    assert sentence not in (recipe.texts / "sentences.txt").read_text()


def test_a_trial_takes_a_little_of_everything(recipe):
    small = replace(recipe, reviews=4, trees=2, sentences=2)
    prepare(small)
    assert len(small.training_trees.read_text().splitlines()) == 2
    assert len(rows(small.texts / "imdb-train.jsonl")) <= 4
    assert len((small.texts / "sentences.txt").read_text().splitlines()) == 2


def test_a_part_of_a_sorted_list_is_from_all_over_it():
    assert evenly([Example("", str(number), 1) for number in range(10)], 4) == [
        Example("", str(number), 1) for number in (0, 3, 6, 9)
    ]
