"""Prepares the texts that teacher and students read, from the data sets as they are published."""

import gzip
from collections.abc import Iterable
from itertools import islice

from rich.console import Console

from training.data.examples import Example
from training.data.leakage import HeldOut, held_out_texts, texts_without_leaks, without_leaks
from training.data.splitting import write_json_lines
from training.data.text_fingerprint import same_text
from training.recipes.default.made_up import made_up_texts
from training.recipes.default.recipe import Recipe
from training.recipes.default.reviews import documents, ids_left_out, read_reviews, sentences

VALIDATION = 0.1
"""Of the labelled reviews."""

SEED = 1
"""Of the split and of the draw of sentences; the students' seeds change neither."""


def prepare(recipe: Recipe) -> None:
    """Writes reviews to learn from, to validate with and to measure on, made-up texts, and what is to be scored.

    To be scored are sentences of reviews, and whole reviews that nobody labelled. Reviews that published robustness
    sets use are left out, and reviews and sentences that stand in a file on which the model is measured or validated.
    """
    imdb, amazon = recipe.data / "imdb", recipe.data / "amazon_reviews" / "reviews.jsonl.gz"
    left_out = ids_left_out(imdb / "exclude_from_training.tsv")
    test = list(read_reviews(imdb / "test.jsonl.gz", left_out=()))
    held_out = HeldOut([recipe.treebank("dev"), recipe.treebank("test"), imdb / "test.jsonl.gz", amazon])
    leaks = held_out_texts("drop")
    usable = {}
    for part in ("train", "unsup"):
        path = imdb / f"{part}.jsonl.gz"
        usable[part] = list(without_leaks(read_reviews(path, left_out=left_out), held_out, leaks, path=path))
    learnt, checked = documents(usable["train"], validation=VALIDATION, seed=SEED)
    found = texts_without_leaks(sentences([*learnt, *usable["unsup"]], seed=SEED), held_out, leaks, path=imdb)
    drawn = islice(found, recipe.sentences)
    measured = list(read_reviews(amazon, left_out=()))
    parts = {
        "imdb-train": learnt,
        "imdb-validation": checked,
        "imdb-test": test,
        "imdb-unlabelled": new_texts(usable["unsup"], known=[*learnt, *checked]),
        "amazon": measured,
    }
    for name, examples in parts.items():
        write_json_lines(recipe.texts / f"{name}.jsonl", evenly(examples, recipe.reviews))
    (recipe.texts / "sentences.txt").write_text("\n".join(drawn) + "\n", encoding="utf-8")
    write_json_lines(recipe.made_up_texts, made_up_texts(when="always", most=recipe.made_up, seed=SEED))
    write_json_lines(recipe.last_made_up_texts, made_up_texts(when="last", most=2 * recipe.made_up, seed=SEED))
    if recipe.trees:
        with gzip.open(recipe.treebank("train"), "rt", encoding="utf-8") as lines:
            recipe.training_trees.write_text("".join(islice(lines, recipe.trees)), encoding="utf-8")
    Console(stderr=True).print(leaks.summary())
    (recipe.texts / "done").touch()


def new_texts(examples: Iterable[Example], *, known: Iterable[Example]) -> list[Example]:
    """Each text once, and none that is known already."""
    seen = {same_text(example.text) for example in known}
    found = []
    for example in examples:
        text = same_text(example.text)
        if text not in seen:
            seen.add(text)
            found.append(example)
    return found


def evenly(examples: list[Example], most: int) -> list[Example]:
    """At most so many, from all over the list, whose labels may come sorted; 0 takes all."""
    return examples[:: -(-len(examples) // most)] if most else examples
