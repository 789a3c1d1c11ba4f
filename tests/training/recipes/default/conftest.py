"""Small data sets in the form in which the real ones come."""

import gzip
import json

import pytest

from training.recipes.default.recipe import Recipe

TREE = "(3 (2 The) (4 (3 good) (2 film)))"


def pack(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode()))


def review(part, number, label, text):
    return json.dumps({"id": f"{part}/{number}", "label": label, "text": text})


@pytest.fixture
def data(tmp_path):
    """Twenty labelled reviews of which one is to be left out and one repeats a test review; three unlabelled ones."""
    folder = tmp_path / "data"
    text = "Review {}.<br /><br />I sat through all of it in silence."
    labelled = [review("train", number, number % 2, text.format(number)) for number in range(18)]
    labelled += [review("train", 18, 1, "Left out on purpose."), review("train", 19, 0, "a TEST   review of mine.")]
    pack(folder / "imdb" / "train.jsonl.gz", labelled)
    pack(folder / "imdb" / "test.jsonl.gz", [review("test", n, n % 2, text) for n, text in enumerate(TESTS)])
    text = "Nobody said what to think of film number {}. So short."
    unlabelled = [review("unsup", number, None, text.format(number)) for number in range(3)]
    pack(folder / "imdb" / "unsup.jsonl.gz", unlabelled)
    (folder / "imdb" / "exclude_from_training.tsv").write_text("id\treason\ntrain/18\tused elsewhere\n")
    pack(folder / "amazon_reviews" / "reviews.jsonl.gz", [json.dumps({"label": 1, "text": "A fine kettle."})])
    for part in ("train", "dev", "test"):
        pack(folder / "sst" / f"{part}.txt.gz", [TREE] * 5)
    return folder


TESTS = ["A test review of mine.", "Another test review of mine."]


@pytest.fixture
def recipe(data, tmp_path):
    return Recipe(
        data=data, base="base", to=tmp_path / "made", seeds=2, sentences=100, made_up=20, reviews=0, trees=0,
        teacher_epochs=1, epochs=1, second_epochs=1, bfloat16=False,
    )  # fmt: skip
