"""What the bundle is measured beside: two lexicons that learn nothing, and two learners of word and word-pair weights.

Needs the packages of the extra ``benchmarks``. None of them was tuned here.
"""

import random
import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.labelled_sets import THREE, TWO, LabelledSet
from model_store import SentimentModel
from training.evaluation.scorer import bundle_scores

Labels = tuple[str, ...]
Scores = NDArray[np.float64]
Lesson = Callable[[Labels], LabelledSet]
"""Gives the texts to learn from with ``TWO`` or ``THREE`` labels."""

VADER_NEUTRAL = 0.05
"""Compound scores closer to 0 are neutral: the thresholds that VADER's authors give in its README."""

_TINY = 1e-9
_WORD = r"(?u)\b\w[\w']*\b"
_NOT_WORD = re.compile(r"([^\w\s'])")


@dataclass(frozen=True, slots=True)
class System:
    """Something that labels texts.

    Attributes:
        name: in tables.
        training_data: in words; None if it was trained on no text.
        score: texts and the labels to choose among, ``TWO`` or ``THREE``, to (texts, labels) scores; None where it
            cannot choose among these.
        probabilities: whether the scores mean to be probabilities, so that a calibration error says something.
    """

    name: str
    training_data: str | None
    score: Callable[[Sequence[str], Labels], Scores | None]
    probabilities: bool


def bundle(folder: str) -> System:
    """A bundle. Among two labels its neutral ones are left out and the rest shared out anew."""
    model = SentimentModel.load(folder)
    polarities = np.array([label.polarity for label in model.manifest.labels], dtype=float)
    sides = [polarities < 0, polarities == 0, polarities > 0]

    def score(texts: Sequence[str], labels: Labels) -> Scores | None:
        if labels == THREE and not sides[1].any():
            return None
        scores = bundle_scores(model, texts)
        scores = np.where(np.isnan(scores), 1 / scores.shape[1], scores)  # no token: nothing is known of it
        wanted = sides if labels == THREE else [sides[0], sides[2]]
        kept = np.stack([scores[:, side].sum(axis=1) for side in wanted], axis=1)
        return kept / kept.sum(axis=1, keepdims=True)

    files = ", ".join(file.name for file in model.manifest.training.files)
    return System(f"{model.manifest.name} {model.manifest.version}", files, score, probabilities=True)


def vader(*, no_opinion: str = "positive") -> System:
    """VADER's compound score; see ``_lexicon`` for ``no_opinion``."""
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer  # noqa: PLC0415 - only where it is asked for

    analyzer = SentimentIntensityAnalyzer()
    return _lexicon(
        "VADER",
        lambda text: analyzer.polarity_scores(text)["compound"],
        neutral=VADER_NEUTRAL,
        no_opinion=no_opinion,
    )


def textblob(*, no_opinion: str = "positive") -> System:
    """TextBlob's pattern analyser, which needs no corpora; among three labels 0 is neutral."""
    from textblob import TextBlob  # noqa: PLC0415

    return _lexicon("TextBlob", lambda text: TextBlob(text).sentiment.polarity, neutral=_TINY, no_opinion=no_opinion)


def _lexicon(name: str, polarity: Callable[[str], float], *, neutral: float, no_opinion: str = "positive") -> System:
    """Labels by a polarity in [-1, 1].

    Args:
        name: in tables.
        polarity: of a text.
        neutral: from which distance to 0 on a text is not neutral among three labels.
        no_opinion: the label of a polarity of 0 among two.
    """

    def score(texts: Sequence[str], labels: Labels) -> Scores:
        found = np.array([polarity(text) for text in texts])
        if labels == TWO:
            chosen = np.where(found == 0, TWO.index(no_opinion), found > 0).astype(int)
        else:
            chosen = np.where(found >= neutral, 2, np.where(found <= -neutral, 0, 1))
        return np.eye(len(labels))[chosen]

    return System(name, None, score, probabilities=False)


def linear(learn_from: Lesson, *, data: str, kinds: Sequence[Labels]) -> System:
    """TF-IDF of words and word pairs, logistic regression.

    Pairs, logarithmic counts and C = 10 are the usual choices for reviews; a word must occur twice.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: PLC0415
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415

    def fitted(labels: Labels) -> Callable[[Sequence[str]], Scores]:
        rows = learn_from(labels)
        # scikit-learn's own pattern cuts "don't" in two and drops the "t".
        words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2, token_pattern=_WORD)
        pipeline = make_pipeline(words, LogisticRegression(C=10, max_iter=1000))
        pipeline.fit(rows.texts, [labels.index(label) for label in rows.truth])
        return lambda texts: np.asarray(pipeline.predict_proba(texts))

    return System("TF-IDF + LR", data, _by_labels(fitted, kinds), probabilities=True)


def fasttext(learn_from: Lesson, *, data: str, kinds: Sequence[Labels]) -> System:
    """The supervised classifier of Joulin et al. 2017 with word pairs; one thread, so that it can be repeated."""
    import fasttext as package  # noqa: PLC0415

    def fitted(labels: Labels) -> Callable[[Sequence[str]], Scores]:
        rows = learn_from(labels)
        with tempfile.TemporaryDirectory(prefix="benchmark-accuracy-") as folder:
            path = Path(folder) / "train.txt"
            lines = [f"__label__{label} {_words(text)}\n" for text, label in zip(rows.texts, rows.truth, strict=True)]
            random.Random(0).shuffle(lines)  # noqa: S311 - it learns in the file's order, and IMDb is sorted by label
            path.write_text("".join(lines), encoding="utf-8")
            model = package.train_supervised(
                str(path), wordNgrams=2, minCount=2, bucket=500_000, dim=50, epoch=10, lr=0.25, thread=1, verbose=0
            )

        def score(texts: Sequence[str]) -> Scores:
            # Asked for every label, this package repeats the first one's probability with numpy 2; what the first
            # leaves is shared evenly by the others, which changes none of the figures.
            names, values = model.predict([_words(text) for text in texts], k=1)
            chosen = [labels.index(name.removeprefix("__label__")) for (name,) in names]
            highest = np.array([value[0] for value in values], dtype=float).clip(max=1.0)
            scores = np.repeat((1 - highest)[:, None] / (len(labels) - 1), len(labels), axis=1)
            scores[np.arange(len(texts)), chosen] = highest
            return scores

        return score

    return System("fastText", data, _by_labels(fitted, kinds), probabilities=True)


def _words(text: str) -> str:
    """On one line, lower-cased, punctuation apart: fastText splits at white space alone."""
    return " ".join(_NOT_WORD.sub(r" \1 ", text.lower()).split())


def _by_labels(
    fitted: Callable[[Labels], Callable[[Sequence[str]], Scores]], kinds: Sequence[Labels]
) -> Callable[[Sequence[str], Labels], Scores | None]:
    """A model of its own for two and for three labels, trained when first asked for."""
    models: dict[Labels, Callable[[Sequence[str]], Scores]] = {}

    def score(texts: Sequence[str], labels: Labels) -> Scores | None:
        if labels not in kinds:
            return None
        if labels not in models:
            models[labels] = fitted(labels)
        return models[labels](texts)

    return score
