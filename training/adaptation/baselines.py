"""Two classifiers that every adapted model is compared with: the most frequent label, and words and pairs of words."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from training.data.examples import Example
from training.evaluation.metrics import Scores

WORD = r"(?u)\b\w[\w']*\b"
"""scikit-learn's own pattern cuts "don't" in two and drops the "t"."""


def majority_scores(train: Sequence[Example], texts: Sequence[str], *, labels: Sequence[str]) -> Scores:
    """(texts, labels): each label's share of the training texts, whatever the text."""
    counts = Counter(example.label for example in train)
    return np.tile([counts[label] / len(train) for label in labels], (len(texts), 1))


def linear_scores(train: Sequence[Example], texts: Sequence[str], *, labels: Sequence[str], balanced: bool) -> Scores:
    """(texts, labels) of a logistic regression on TF-IDF of words and word pairs, with the usual settings.

    Args:
        train: of two labels or more.
        texts: to be scored.
        labels: in the order of the columns.
        balanced: count all labels alike.
    """
    rare = 2 if len(train) >= 100 else 1  # noqa: PLR2004 - of a few texts every word occurs once
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=rare, token_pattern=WORD)
    regression = LogisticRegression(C=10, max_iter=1000, class_weight="balanced" if balanced else None)
    pipeline = make_pipeline(words, regression)
    pipeline.fit([example.text for example in train], [labels.index(example.label) for example in train])
    scores: Scores = np.zeros((len(texts), len(labels)))
    scores[:, pipeline.classes_] = pipeline.predict_proba(texts)
    return scores
