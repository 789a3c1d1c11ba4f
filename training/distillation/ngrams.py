"""A linear classifier of n-grams of words: a teacher that trains in a minute and errs on other texts than networks do.

Wang and Manning 2012 showed that it is hard to beat on whole reviews. It is one logistic regression a label on term
frequencies times inverse document frequencies. Its file has a row for every n-gram.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet

from training.data.examples import Example
from training.distillation.tables import write_table
from training.distillation.teacher import INSTALL, TeacherError

SUFFIX = ".ngrams"
"""File name extension of such a classifier, by which it is recognized."""

WEIGHT = "weight: "
"""Prefix of the columns with the n-grams' weights for one label."""

WORDS = r"(?u)[^\W\d_]+(?:['’][^\W\d_]+)*|\d+|[!?]"  # noqa: RUF001 - the apostrophe of typesetters
"""Words with their apostrophes, numbers, exclamation and question marks."""

_RECORD = b"ngrams"


@dataclass(frozen=True, slots=True)
class NgramClassifier:
    """A fitted classifier.

    Attributes:
        vectorizer: a fitted ``TfidfVectorizer``: texts to a sparse (texts, n-grams) matrix.
        labels: in the order of the weights' rows.
        weights: (labels, n-grams).
        intercepts: (labels,).
    """

    vectorizer: Any
    labels: list[str]
    weights: NDArray[np.float32]
    intercepts: NDArray[np.float32]

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """(texts, labels): the logistic regressions of all labels, normalized to sum to 1."""
        logits = self.vectorizer.transform(texts) @ self.weights.T + self.intercepts  # (texts, labels)
        independent = 1 / (1 + np.exp(-logits.astype(np.float64)))
        normalized: NDArray[np.float64] = independent / independent.sum(axis=1, keepdims=True)
        return normalized


def fit_ngrams(
    examples: Sequence[Example], *, longest: int, least_texts: int, regularization: float
) -> NgramClassifier:
    """Fit a classifier to labeled texts.

    Args:
        examples: of two labels or more.
        longest: number of words of the longest n-gram.
        least_texts: minimum number of texts that contain an n-gram.
        regularization: weight of the L2 penalty, relative to the loss of one text.

    Raises:
        TeacherError: scikit-learn is not installed, there are fewer than two labels, or no n-gram is that frequent.
    """
    linear_model = _scikit_learn().linear_model
    labels = sorted({example.label for example in examples})
    if len(labels) < 2:  # noqa: PLR2004 - a choice needs two
        message = f"A classifier needs texts of two labels or more; there are only: {', '.join(labels) or 'none'}"
        raise TeacherError(message)
    vectorizer = _vectorizer(longest, min_df=least_texts)
    try:
        counted = vectorizer.fit_transform([example.text for example in examples])  # (texts, n-grams)
    except ValueError as error:  # how scikit-learn reports an empty vocabulary
        message = f"No n-gram occurs in {least_texts} of the {len(examples)} texts; lower --least_texts."
        raise TeacherError(message) from error
    truth = np.array([example.label for example in examples])
    fitted = [
        linear_model.LogisticRegression(C=1 / regularization, solver="liblinear").fit(counted, truth == label)
        for label in labels
    ]
    return NgramClassifier(
        vectorizer,
        labels,
        weights=np.concatenate([regression.coef_ for regression in fitted]).astype(np.float32),
        intercepts=np.concatenate([regression.intercept_ for regression in fitted]).astype(np.float32),
    )


def save_ngrams(classifier: NgramClassifier, path: Path) -> None:
    """Write a Parquet file: every n-gram, its inverse document frequency, and its weight for each label."""
    vectorizer = classifier.vectorizer
    columns = {
        "ngram": pa.array(vectorizer.get_feature_names_out().tolist(), pa.string()),
        "idf": vectorizer.idf_,
        **{f"{WEIGHT}{label}": row for label, row in zip(classifier.labels, classifier.weights, strict=True)},
    }
    record = {
        "labels": classifier.labels,
        "intercepts": classifier.intercepts.tolist(),
        "longest": vectorizer.ngram_range[1],
    }
    write_table(path, pa.table(columns).replace_schema_metadata({_RECORD: json.dumps(record).encode()}))


def load_ngrams(path: Path) -> NgramClassifier:
    """Read a file that ``save_ngrams`` wrote.

    Raises:
        TeacherError: scikit-learn is not installed, or the file is missing or holds something else.
    """
    try:
        table = parquet.read_table(path)
        record = json.loads((table.schema.metadata or {})[_RECORD])
    except (OSError, pa.ArrowException, KeyError) as error:
        message = f"{path}: not a classifier of n-grams; `python -m training distill ngrams` writes one."
        raise TeacherError(message) from error
    vectorizer = _vectorizer(record["longest"], vocabulary=table.column("ngram").to_pylist())
    vectorizer.idf_ = table.column("idf").to_numpy()
    weights = np.stack([table.column(f"{WEIGHT}{label}").to_numpy() for label in record["labels"]])
    return NgramClassifier(vectorizer, record["labels"], weights, np.array(record["intercepts"], dtype=np.float32))


def _vectorizer(longest: int, **options: object) -> Any:  # noqa: ANN401 - scikit-learn has no types
    text = _scikit_learn().feature_extraction.text
    return text.TfidfVectorizer(
        ngram_range=(1, longest), token_pattern=WORDS, sublinear_tf=True, dtype=np.float32, **options
    )


def _scikit_learn() -> Any:  # noqa: ANN401 - scikit-learn has no types
    try:
        import sklearn.feature_extraction.text  # noqa: PLC0415 - an extra
        import sklearn.linear_model  # noqa: PLC0415
    except ImportError as error:
        message = f"A classifier of n-grams needs the package scikit-learn, which is not installed.\n{INSTALL}"
        raise TeacherError(message) from error
    return sklearn
