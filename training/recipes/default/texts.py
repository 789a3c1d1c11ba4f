"""Prepares the texts that teacher and students read, from the data sets as they are published."""

import gzip
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from model_store.plain_console import plain_console
from training.data.examples import Example, SkippedRows
from training.data.leakage import LeakageFilter, drop_leaking_texts, drop_leaks, skipped_leaks
from training.data.splitting import deal, write_json_lines
from training.data.text_fingerprint import text_fingerprint
from training.recipes.default.made_up import made_up_texts
from training.recipes.default.measured_sets import MEASURED
from training.recipes.default.recipe import Recipe
from training.recipes.default.sources import DOMAINS, read_excluded_ids, read_source, sentences

VALIDATION = {"imdb": 0.1, "goemotions": 0.03, "newsmtsc": 0.1, "senti4sd": 0.1, "amazon_polarity": 0.05}
"""Share of each source's labeled texts that validates: about a thousand texts each, fewer from small sources."""

TEACHER_MADE_UP = 20_000
"""Made-up texts that the teacher reads, at most; to a student they are one kind of text among many more."""

DOCUMENT = 250
"""Characters above which a text counts as a document."""

SEED = 1
"""Seed of the splits and draws; independent of the students' seeds."""


def prepare(recipe: Recipe) -> None:
    """Write labeled texts, unlabeled texts, validation texts, made-up texts, and the sets to measure on.

    A text that is in a test set or in the treebank's validation file is dropped, and so are the reviews
    that published robustness sets use.
    """
    for measured in MEASURED:
        write_json_lines(recipe.measured / measured.file_name, evenly(measured.examples(recipe.data), recipe.reviews))
    leaks = skipped_leaks("drop")
    held_out = LeakageFilter([recipe.treebank("dev"), recipe.treebank("test"), *measured_files(recipe)])
    labeled, unlabeled, validation, films = [], [], [], []
    for name, examples in _sources(recipe, held_out, leaks):
        known = [example for example in examples if example.label]
        share = VALIDATION.get(name, 0.0)
        learned, checked = deal(known, [1 - share, share], seed=SEED)
        labeled += evenly(learned, recipe.reviews)
        validation += evenly(checked, recipe.reviews)
        unlabeled += evenly([example for example in examples if not example.label], recipe.reviews)
        films += examples if name == "imdb" else []
    documents = [example for example in [*labeled, *unlabeled] if is_document(example.text)]
    cut = drop_leaking_texts(sentences(documents, seed=SEED), held_out, leaks, path=recipe.data)
    drawn = (Example(text=text, label="", line=0) for text in islice(cut, recipe.sentences))
    unlabeled = distinct_texts([*unlabeled, *drawn], known=[*labeled, *validation])
    write_json_lines(recipe.labeled, labeled)
    write_json_lines(recipe.unlabeled, unlabeled)
    of_films = set(sentences(films, seed=SEED))
    write_json_lines(recipe.film_sentences, (example for example in unlabeled if example.text in of_films))
    write_json_lines(recipe.validation, validation)
    made_up = list(made_up_texts(max_texts=recipe.made_up, seed=SEED))
    write_json_lines(recipe.made_up_texts, made_up)
    write_json_lines(recipe.teacher_made_up, evenly(made_up, TEACHER_MADE_UP))
    if recipe.trees:
        with gzip.open(recipe.treebank("train"), "rt", encoding="utf-8") as lines:
            recipe.training_trees.write_text("".join(islice(lines, recipe.trees)), encoding="utf-8")
    plain_console(stderr=True).print(leaks.summary())
    (recipe.texts / "done").touch()


def is_document(text: str) -> bool:
    """Whether a text is cut into sentences too: it is long, or has several lines."""
    return len(text) > DOCUMENT or "\n" in text


def measured_files(recipe: Recipe) -> list[Path]:
    """The sets to measure on, without those of the treebank, whose own file has the same texts."""
    return [recipe.measured / measured.file_name for measured in MEASURED if "sst" not in measured.path]


def _sources(recipe: Recipe, held_out: LeakageFilter, leaks: SkippedRows) -> Iterator[tuple[str, list[Example]]]:
    """The texts of every source without those that are held out."""
    excluded = read_excluded_ids(recipe.data / "imdb" / "exclude_from_training.tsv")
    parts = [("imdb", "train"), ("imdb", "unsup"), *((domain, "train") for domain in DOMAINS)]
    for name, part in parts:
        path = recipe.data / name / f"{part}.jsonl.gz"
        yield name, list(drop_leaks(read_source(path, excluded=excluded), held_out, leaks, path=path))


def distinct_texts(examples: Iterable[Example], *, known: Iterable[Example]) -> list[Example]:
    """Each text once, without the texts that are known already."""
    seen = {text_fingerprint(example.text) for example in known}
    distinct = []
    for example in examples:
        text = text_fingerprint(example.text)
        if text not in seen:
            seen.add(text)
            distinct.append(example)
    return distinct


def evenly(examples: Iterable[Example], maximum: int) -> list[Example]:
    """At most ``maximum`` examples from all over the list, whose labels may come sorted; 0 takes all."""
    rows = list(examples)
    return rows[:: -(-len(rows) // maximum)] if maximum and rows else rows
