"""Small data sets in the form in which the real ones come."""

import gzip
import json

import pytest

from training.recipes.default.recipe import Recipe
from training.recipes.default.sources import DOMAINS

TREE = "(3 (2 The) (4 (3 good) (2 film)))"

TESTS = ["A test review of mine.", "Another test review of mine."]


def pack(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode()))


def review(part, number, label, text):
    return json.dumps({"id": f"{part}/{number}", "label": label, "text": text})


def row(label, text):
    return json.dumps({"label": label, "text": text})


@pytest.fixture
def data(tmp_path):
    """Twenty labelled reviews, one excluded and one equal to a test review; two labelled texts of each other domain."""
    folder = tmp_path / "data"
    text = "Review {}.<br /><br />I sat through all of it in silence."
    labelled = [review("train", number, number % 2, text.format(number)) for number in range(18)]
    labelled += [review("train", 18, 1, "Left out on purpose."), review("train", 19, 0, "a TEST   review of mine.")]
    pack(folder / "imdb" / "train.jsonl.gz", labelled)
    pack(folder / "imdb" / "test.jsonl.gz", [review("test", n, n % 2, text) for n, text in enumerate(TESTS)])
    text = "It was never said what to think of film number {}.\nSo short."
    pack(
        folder / "imdb" / "unsup.jsonl.gz", [review("unsup", number, None, text.format(number)) for number in range(3)]
    )
    (folder / "imdb" / "exclude_from_training.tsv").write_text("id\treason\ntrain/18\tused elsewhere\n")
    for domain in DOMAINS:
        labels = (None, None) if domain == "mams" else ("negative", "neutral")
        pack(folder / domain / "train.jsonl.gz", [row(label, f"{domain} text {n}.") for n, label in enumerate(labels)])
    for name in ("goemotions", "newsmtsc"):
        pack(folder / name / "validation.jsonl.gz", [row("neutral", f"To measure {name}.")])
    pack(folder / "amazon_reviews" / "reviews.jsonl.gz", [row(1, "A fine kettle.")])
    for number in range(2):
        pack(folder / "yelp_sentences" / f"sentiment.test.{number}.gz", ["the soup was cold ."])
    pack(folder / "airline_tweets" / "tweets.csv.gz", ["text,label", "my flight was late,negative"])
    for path, content in {
        "finance/phrasebank.csv": "news,label\nProfit rose .,positive\n",
        "cr/custrev.txt": "1 it works\n0 it broke\n",
    }.items():
        (folder / path).parent.mkdir()
        (folder / path).write_text(content)
    for part in ("train", "dev", "test"):
        pack(folder / "sst" / f"{part}.txt.gz", [TREE] * 5)
    return folder


@pytest.fixture
def recipe(data, tmp_path):
    return Recipe(
        data=data, base="base", embeddings="vectors", to=tmp_path / "made", seeds=2, sentences=100, made_up=20,
        reviews=0, trees=0, teacher_epochs=1, epochs=1, bfloat16=False,
    )  # fmt: skip
