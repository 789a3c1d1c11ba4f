"""Prepares the texts that teacher and students read, from the data sets as they are published."""

import gzip
from itertools import islice

from training.data.examples import Example
from training.data.splitting import write_json_lines
from training.reproduction.recipe import Recipe
from training.reproduction.reviews import documents, ids_left_out, not_repeating, read_reviews, sentences

VALIDATION = 0.1
"""Of the labelled reviews."""

SEED = 1
"""Of the split and of the draw of sentences; the students' seeds change neither."""


def prepare(recipe: Recipe) -> None:
    """Writes reviews to learn from, to validate with and to measure on, and sentences for the teacher to score.

    Reviews that published robustness sets use, or that repeat a test review, are left out.
    """
    imdb = recipe.data / "imdb"
    left_out = ids_left_out(imdb / "exclude_from_training.tsv")
    test = list(read_reviews(imdb / "test.jsonl.gz", left_out=()))
    every = {part: read_reviews(imdb / f"{part}.jsonl.gz", left_out=left_out) for part in ("train", "unsup")}
    usable = {part: list(not_repeating(reviews, test)) for part, reviews in every.items()}
    learnt, checked = documents(usable["train"], validation=VALIDATION, seed=SEED)
    drawn = sentences([*learnt, *usable["unsup"]], count=recipe.sentences, seed=SEED)
    amazon = read_reviews(recipe.data / "amazon_reviews" / "reviews.jsonl.gz", left_out=())
    parts = {"imdb-train": learnt, "imdb-validation": checked, "imdb-test": test, "amazon": list(amazon)}
    for name, examples in parts.items():
        write_json_lines(recipe.texts / f"{name}.jsonl", evenly(examples, recipe.reviews))
    (recipe.texts / "sentences.txt").write_text("\n".join(drawn) + "\n", encoding="utf-8")
    if recipe.trees:
        with gzip.open(recipe.treebank("train"), "rt", encoding="utf-8") as lines:
            recipe.training_trees.write_text("".join(islice(lines, recipe.trees)), encoding="utf-8")
    (recipe.texts / "done").touch()


def evenly(examples: list[Example], most: int) -> list[Example]:
    """At most so many, from all over the list, whose labels may come sorted; 0 takes all."""
    return examples[:: -(-len(examples) // most)] if most else examples
