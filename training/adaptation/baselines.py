"""Two classifiers that every adapted model is compared with: the most frequent label, and words and pairs of words."""

from collections.abc import Sequence

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline

from training.data.examples import Example
from training.evaluation.label_sets import true_labels
from training.evaluation.metrics import Scores

WORD = r"(?u)\b\w[\w']*\b"
"""scikit-learn's own pattern cuts "don't" in two and drops the "t"."""


def majority_scores(train: Sequence[Example], texts: Sequence[str], *, labels: Sequence[str]) -> Scores:
    """(texts, labels): each label's share of the training texts, whatever the text."""
    shares = np.array([sum(label in example.label_names for example in train) for label in labels]) / len(train)
    return np.tile(shares, (len(texts), 1))


def linear_scores(train: Sequence[Example], texts: Sequence[str], *, labels: Sequence[str], balanced: bool) -> Scores:
    """(texts, labels) of a logistic regression on TF-IDF of words and word pairs, with the usual settings.

    If texts have any number of labels, there is one regression for each label.

    Args:
        train: of two labels or more.
        texts: to be scored.
        labels: in the order of the columns.
        balanced: count all labels alike.
    """
    rare = 2 if len(train) >= 100 else 1  # noqa: PLR2004 - of a few texts every word occurs once
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=rare, token_pattern=WORD)
    regression = LogisticRegression(C=10, max_iter=1000, class_weight="balanced" if balanced else None)
    true = true_labels(train, labels)
    pipeline = make_pipeline(words, regression if true.ndim == 1 else OneVsRestClassifier(regression))
    pipeline.fit([example.text for example in train], true)
    scores: Scores = np.zeros((len(texts), len(labels)))
    scores[:, pipeline.classes_] = pipeline.predict_proba(texts)
    return scores
