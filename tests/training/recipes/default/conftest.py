"""Small data sets in the form of the real ones."""

import gzip
import json

import pytest

from training.data.examples import Example
from training.recipes.default.recipe import Recipe

TREE = "(3 (2 The) (4 (3 good) (2 film)))"


def pack(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode()))


def review(part, number, label, text):
    return json.dumps({"id": f"{part}/{number}", "label": label, "text": text})


@pytest.fixture
def data(tmp_path):
    """Labeled reviews, one excluded and one that repeats a test review; unlabeled ones; other domains."""
    folder = tmp_path / "data"
    text = "Review {}.<br /><br />I sat through all of it in silence."
    labeled = [review("train", number, number % 2, text.format(number)) for number in range(18)]
    labeled += [review("train", 18, 1, "Left out on purpose."), review("train", 19, 0, "a TEST   review of mine.")]
    pack(folder / "imdb" / "train.jsonl.gz", labeled)
    pack(folder / "imdb" / "test.jsonl.gz", [review("test", n, n % 2, text) for n, text in enumerate(TESTS)])
    text = "Nobody said what to think of film number {}.\nSo short."
    unlabeled = [review("unsup", number, None, text.format(number)) for number in range(3)]
    pack(folder / "imdb" / "unsup.jsonl.gz", unlabeled)
    (folder / "imdb" / "exclude_from_training.tsv").write_text("id\treason\ntrain/18\tused elsewhere\n")
    for name, labels in DOMAINS.items():
        rows = [json.dumps({"text": f"This is text {n} of {name}.", "label": label}) for n, label in enumerate(labels)]
        pack(folder / name / "train.jsonl.gz", rows)
        pack(folder / name / "validation.jsonl.gz", [json.dumps({"text": f"To measure {name}.", "label": "neutral"})])
    pack(folder / "amazon_reviews" / "reviews.jsonl.gz", [json.dumps({"label": 1, "text": "A fine kettle."})])
    (folder / "cr").mkdir()
    (folder / "cr" / "custrev.txt").write_text("1 a fine camera .\n")
    for label in (0, 1):
        pack(folder / "yelp_sentences" / f"sentiment.test.{label}.gz", ["the soup was warm ."])
    pack(folder / "airline_tweets" / "tweets.csv.gz", ["label,confidence,text", "neutral,1,@air when do you fly?"])
    (folder / "finance").mkdir()
    (folder / "finance" / "phrasebank.csv").write_text("label,news\nneutral,The company is in Oslo .\n")
    for part in ("train", "dev", "test"):
        pack(folder / "sst" / f"{part}.txt.gz", [TREE] * 5)
    return folder


TESTS = ["A test review of mine.", "Another test review of mine."]

DOMAINS = {
    "goemotions": ["positive", "negative", "neutral", "ambiguous", "negative+positive"],
    "newsmtsc": ["neutral", None],
    "senti4sd": ["negative", "positive"],
    "amazon_polarity": ["positive", "negative"],
    "mams": [None],
}


@pytest.fixture(autouse=True)
def _few_made_up_texts(monkeypatch):
    """Expanding all templates takes seconds; test_made_up.py tests that."""
    made_up = [
        Example("One star.", "negative", 1),
        Example("It is Monday.", "neutral", 2),
        Example("Yum!", "positive", 3),
    ]
    monkeypatch.setattr("training.recipes.default.texts.made_up_texts", lambda **_: made_up)


@pytest.fixture
def recipe(data, tmp_path):
    return Recipe(
        data=data, base="base", film_teacher="films", embeddings="embeddings", to=tmp_path / "made", seeds=2,
        sentences=100, made_up=20, reviews=0, trees=0, teacher_epochs=1, epochs=1, bfloat16=False,
    )  # fmt: skip
