"""The linear classifier of n-grams: scikit-learn's answers, kept in a file that tells what was learnt."""

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from training.data.examples import Example
from training.distillation.ngrams import WEIGHT, fit_ngrams, load_ngrams, save_ngrams
from training.distillation.scorers import InferenceOptions, ensemble, load_teacher_scorer
from training.distillation.teacher import TeacherError

pytest.importorskip("sklearn", reason="the extra distill is not installed")

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

GOOD = ["A good film.", "Good soup!", "The film was not bad.", "Not bad, the soup."]
BAD = ["A bad film.", "Bad soup!", "The film was not good.", "Not good, the soup."]
FAIR = ["A film.", "The soup was soup.", "Was it a film?", "The soup and the film."]
TEXTS = {"good": GOOD, "bad": BAD, "fair": FAIR}
EXAMPLES = [Example(text, label, 1) for label, texts in TEXTS.items() for text in texts]
INFERENCE = InferenceOptions(max_tokens=24, tokens_per_batch=64, bfloat16=False)


@pytest.fixture(scope="module")
def classifier():
    return fit_ngrams(EXAMPLES, longest=2, least_texts=1, regularization=0.1)


def test_probabilities_are_those_of_one_logistic_regression_a_label(classifier):
    texts, labels = [example.text for example in EXAMPLES], [example.label for example in EXAMPLES]
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\w+|[!?]")
    reference = OneVsRestClassifier(LogisticRegression(C=10, solver="liblinear"))
    reference.fit(vectorizer.fit_transform(texts), labels)
    asked = ["Not good!", "The soup was bad.", "Nothing of this is known?"]
    assert classifier.labels == reference.classes_.tolist()
    expected = reference.predict_proba(vectorizer.transform(asked))
    np.testing.assert_allclose(classifier.probabilities(asked), expected, atol=1e-3)


def test_a_pair_of_words_turns_both_around(classifier):
    bad, good = (classifier.labels.index(label) for label in ("bad", "good"))
    found = classifier.probabilities(["Good.", "Not good.", "Bad.", "Not bad."])
    assert (found[:, good] > found[:, bad]).tolist() == [True, False, False, True]


def test_what_is_read_back_answers_alike(classifier, tmp_path):
    save_ngrams(classifier, tmp_path / "deep" / "film.ngrams")
    again = load_ngrams(tmp_path / "deep" / "film.ngrams")
    asked = ["Not good!", "", "\U0001f600", "soup " * 1000]
    np.testing.assert_array_equal(again.probabilities(asked), classifier.probabilities(asked))
    assert again.labels == classifier.labels


def test_the_file_tells_what_every_ngram_says(classifier, tmp_path):
    save_ngrams(classifier, tmp_path / "film.ngrams")
    rows = {row["ngram"]: row for row in parquet.read_table(tmp_path / "film.ngrams").to_pylist()}
    assert rows["not good"][f"{WEIGHT}bad"] > 0 > rows["not good"][f"{WEIGHT}good"]
    assert rows["soup"]["idf"] < rows["not good"]["idf"]  # it stands in more texts


@pytest.mark.parametrize("apostrophe", ["'", "\u2019"])
def test_a_word_with_an_apostrophe_is_one(apostrophe):
    texts = [f"don{apostrophe}t", "do"]
    found = fit_ngrams(
        [Example(text, text, 1) for text in texts], longest=1, least_texts=1, regularization=1.0
    ).vectorizer.get_feature_names_out()
    assert sorted(found) == sorted(texts)


def test_it_teaches_together_with_others(classifier, tmp_path):
    path = tmp_path / "film.ngrams"
    save_ngrams(classifier, path)
    scorer = load_teacher_scorer(str(path), INFERENCE)
    both = ensemble([scorer, load_teacher_scorer(str(path), INFERENCE)])
    expected = np.log(classifier.probabilities(["Not good.", "A film."]))
    np.testing.assert_allclose(both.score(["Not good.", "A film."]), expected, atol=1e-5)


def test_the_scores_of_one_that_was_fitted_again_are_others(classifier, tmp_path):
    save_ngrams(classifier, tmp_path / "one.ngrams")
    other = fit_ngrams(EXAMPLES, longest=1, least_texts=1, regularization=0.1)
    save_ngrams(other, tmp_path / "other.ngrams")
    identities = {
        load_teacher_scorer(str(tmp_path / f"{name}.ngrams"), INFERENCE).identity for name in ("one", "other")
    }
    assert len(identities) == 2


def test_one_label_is_refused():
    with pytest.raises(TeacherError, match="two labels or more; there are only: good"):
        fit_ngrams(EXAMPLES[:4], longest=2, least_texts=1, regularization=0.1)


def test_texts_that_share_no_ngram_are_refused():
    with pytest.raises(TeacherError, match="No n-gram occurs in 12 of the 12 texts; lower --least_texts"):
        fit_ngrams(EXAMPLES, longest=2, least_texts=12, regularization=0.1)


def test_another_file_is_refused(tmp_path):
    parquet.write_table(pa.table({"text": ["x"]}), tmp_path / "scores.ngrams")
    (tmp_path / "text.ngrams").write_text("not Parquet")
    for name in ("scores", "text", "missing"):
        with pytest.raises(TeacherError, match=f"{name}.ngrams: not a classifier of n-grams"):
            load_ngrams(tmp_path / f"{name}.ngrams")
