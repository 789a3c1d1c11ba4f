"""The systems that ``accuracy`` measures: a bundle, two lexicons, and two learners of word and word-pair weights.

Needs the packages of the extra ``benchmarks``. None of the baselines was tuned here.
"""

import pickle
import random
import re
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from benchmarks.labeled_sets import LabeledSet
from model_store import SentimentModel
from model_store import bundle as bundles
from training.data.vectors import token_embeddings
from training.evaluation.scorer import bundle_scores
from training.recipes.default.measured_sets import THREE, TWO

Labels = tuple[str, ...]
Scores = NDArray[np.float64]
Lesson = Callable[[Labels], LabeledSet]
"""Labels to a training set with these labels, ``TWO`` or ``THREE``."""

VADER_NEUTRAL = 0.05
"""Compound scores closer to 0 are neutral: the threshold of VADER's README."""

STATIC = "averaged vectors + LR"

_TINY = 1e-9
_WORD = r"(?u)\b\w[\w']*\b"
_NOT_WORD = re.compile(r"([^\w\s'])")


@dataclass(frozen=True, slots=True)
class System:
    """A classifier to measure.

    Attributes:
        name: its name in tables.
        training_data: the name of its training data; None for a lexicon.
        score: maps texts and labels, ``TWO`` or ``THREE``, to (texts, labels) scores, or to None if it cannot choose
            among these labels.
        probabilities: whether the scores are probabilities, and so have a calibration error.
        size: bytes of what it knows, as its files or pickled, for labels that it can choose among; no code counts.
        seconds: of the processor to learn these labels; None if it did not learn in the benchmark.
    """

    name: str
    training_data: str | None
    score: Callable[[Sequence[str], Labels], Scores | None]
    probabilities: bool
    size: Callable[[Labels], int]
    seconds: Callable[[Labels], float | None] = lambda _labels: None


@dataclass(frozen=True, slots=True)
class Learned:
    """What a learner has learned for one set of labels.

    Attributes:
        score: texts to (texts, labels) scores.
        size: in bytes.
        seconds: of the processor that learning took; None if that was only just now.
    """

    score: Callable[[Sequence[str]], Scores]
    size: int
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Learner:
    """A system with one model for each set of labels, trained at its first use.

    Attributes:
        fitted: learns.
        kinds: the sets of labels that it can learn.
        learned: so far.
    """

    fitted: Callable[[Labels], Learned]
    kinds: Sequence[Labels]
    learned: dict[Labels, Learned] = field(default_factory=dict)

    def score(self, texts: Sequence[str], labels: Labels) -> Scores | None:
        """As a ``System``."""
        return self._of(labels).score(texts) if labels in self.kinds else None

    def size(self, labels: Labels) -> int:
        """As a ``System``."""
        return self._of(labels).size

    def seconds(self, labels: Labels) -> float | None:
        """As a ``System``."""
        return self._of(labels).seconds

    def _of(self, labels: Labels) -> Learned:
        if labels not in self.learned:
            began = time.process_time()
            learned = self.fitted(labels)
            seconds = time.process_time() - began if learned.seconds is None else learned.seconds
            self.learned[labels] = replace(learned, seconds=seconds)
        return self.learned[labels]

    def as_system(self, name: str, *, data: str) -> System:
        """Under a name, with the name of what it learns from."""
        return System(name, data, self.score, probabilities=True, size=self.size, seconds=self.seconds)


def size_of(*paths: Path) -> int:
    """Bytes of files, or of all files of folders."""
    files = [file for path in paths for file in ([path] if path.is_file() else path.rglob("*"))]
    return sum(file.stat().st_size for file in files if file.is_file())


def bundle(folder: str) -> System:
    """A bundle. For two labels, its neutral scores are dropped and the others normalized."""
    model = SentimentModel.load(folder)
    polarities = np.array([label.polarity for label in model.manifest.labels], dtype=float)
    sides = [polarities < 0, polarities == 0, polarities > 0]

    def score(texts: Sequence[str], labels: Labels) -> Scores | None:
        if labels == THREE and not sides[1].any():
            return None
        scores = bundle_scores(model, texts)
        scores = np.where(np.isnan(scores), 1 / scores.shape[1], scores)  # a text without a token
        selected = sides if labels == THREE else [sides[0], sides[2]]
        sums = np.stack([scores[:, side].sum(axis=1) for side in selected], axis=1)
        return sums / sums.sum(axis=1, keepdims=True)

    files = ", ".join(file.name for file in model.manifest.training.files)
    name = f"{model.manifest.name} {model.manifest.version}"
    size = size_of(bundles.resolve(folder))
    return System(name, files, score, probabilities=True, size=lambda _labels: size)


def vader(*, no_opinion: str = "positive") -> System:
    """VADER's compound score; see ``lexicon`` for ``no_opinion``."""
    from vaderSentiment import vaderSentiment  # noqa: PLC0415 - needed by this system only

    analyzer = vaderSentiment.SentimentIntensityAnalyzer()
    folder = Path(vaderSentiment.__file__).parent
    return lexicon(
        "VADER",
        lambda text: analyzer.polarity_scores(text)["compound"],
        neutral=VADER_NEUTRAL,
        no_opinion=no_opinion,
        files=[folder / "vader_lexicon.txt", folder / "emoji_utf8_lexicon.txt"],
    )


def textblob(*, no_opinion: str = "positive") -> System:
    """TextBlob's pattern analyzer, which needs no corpora. For three labels, 0 is neutral."""
    import textblob as package  # noqa: PLC0415

    return lexicon(
        "TextBlob",
        lambda text: package.TextBlob(text).sentiment.polarity,
        neutral=_TINY,
        no_opinion=no_opinion,
        files=[Path(package.__file__).parent / "en" / "en-sentiment.xml"],
    )


def lexicon(
    name: str,
    polarity: Callable[[str], float],
    *,
    neutral: float,
    no_opinion: str = "positive",
    files: Sequence[Path] = (),
) -> System:
    """A system that labels texts by a polarity in [-1, 1].

    Args:
        name: its name in tables.
        polarity: maps a text to its polarity.
        neutral: for three labels, a polarity closer to 0 is neutral.
        no_opinion: for two labels, the label of a polarity of 0.
        files: the lexicon.
    """

    def score(texts: Sequence[str], labels: Labels) -> Scores:
        polarities = np.array([polarity(text) for text in texts])
        if labels == TWO:
            chosen = np.where(polarities == 0, TWO.index(no_opinion), polarities > 0).astype(int)
        else:
            chosen = np.where(polarities >= neutral, 2, np.where(polarities <= -neutral, 0, 1))
        return np.eye(len(labels))[chosen]

    return System(name, None, score, probabilities=False, size=lambda _labels: size_of(*files))


def linear(learn_from: Lesson, *, data: str, kinds: Sequence[Labels]) -> System:
    """Logistic regression on TF-IDF of words and word pairs that occur at least twice.

    Word pairs, logarithmic counts and C = 10 are the usual choices for reviews.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: PLC0415
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415

    def fitted(labels: Labels) -> Learned:
        rows = learn_from(labels)
        # scikit-learn's own pattern cuts "don't" in two and drops the "t".
        words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2, token_pattern=_WORD)
        pipeline = make_pipeline(words, LogisticRegression(C=10, max_iter=1000))
        pipeline.fit(rows.texts, [labels.index(label) for label in rows.truth])
        return Learned(lambda texts: np.asarray(pipeline.predict_proba(texts)), len(pickle.dumps(pipeline)))

    return Learner(fitted, kinds).as_system("TF-IDF + LR", data=data)


def fasttext(learn_from: Lesson, *, data: str, kinds: Sequence[Labels]) -> System:
    """The supervised classifier of Joulin et al. 2017 with word pairs; one thread, for reproducible results."""
    import fasttext as package  # noqa: PLC0415

    def fitted(labels: Labels) -> Learned:
        rows = learn_from(labels)
        with tempfile.TemporaryDirectory(prefix="benchmark-accuracy-") as folder:
            path = Path(folder) / "train.txt"
            lines = [f"__label__{label} {_words(text)}\n" for text, label in zip(rows.texts, rows.truth, strict=True)]
            random.Random(0).shuffle(lines)  # noqa: S311 - it learns in the file's order, and IMDb is sorted by label
            path.write_text("".join(lines), encoding="utf-8")
            model = package.train_supervised(
                str(path), wordNgrams=2, minCount=2, bucket=500_000, dim=50, epoch=10, lr=0.25, thread=1, verbose=0
            )
            model.save_model(str(path))
            size = size_of(path)

        def score(texts: Sequence[str]) -> Scores:
            # With numpy 2 the package repeats the first label's probability for all labels. The others get equal
            # shares of the rest, which changes none of the figures.
            names, values = model.predict([_words(text) for text in texts], k=1)
            chosen = [labels.index(name.removeprefix("__label__")) for (name,) in names]
            highest = np.array([value[0] for value in values], dtype=float).clip(max=1.0)
            scores = np.repeat((1 - highest)[:, None] / (len(labels) - 1), len(labels), axis=1)
            scores[np.arange(len(texts)), chosen] = highest
            return scores

        return Learned(score, size)

    return Learner(fitted, kinds).as_system("fastText", data=data)


def static(learn_from: Lesson, *, data: str, kinds: Sequence[Labels], folder: Path) -> System:
    """Logistic regression on the mean of a transformer's token embeddings, as model2vec has it; nothing is tuned.

    Args:
        learn_from: as of the others.
        data: its name.
        kinds: the sets of labels to learn.
        folder: of the transformer.
    """
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415

    pipeline = Tokenizer.from_file(str(folder / "tokenizer.json"))
    pipeline.no_truncation()
    pipeline.no_padding()
    vectors = token_embeddings(folder).numpy()  # (tokens, width)

    def means(texts: Sequence[str]) -> NDArray[np.float32]:
        encoded = pipeline.encode_batch(list(texts), add_special_tokens=False)
        rows = np.stack([vectors[text.ids].mean(axis=0) if text.ids else vectors[0] * 0 for text in encoded])
        # Of length 1: the mean of a long text is shorter than that of a phrase, which says nothing about it.
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), _TINY)

    def fitted(labels: Labels) -> Learned:
        rows = learn_from(labels)
        classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        classifier.fit(means(rows.texts), [labels.index(label) for label in rows.truth])
        size = len(pickle.dumps(classifier)) + vectors.nbytes + size_of(folder / "tokenizer.json")
        return Learned(lambda texts: np.asarray(classifier.predict_proba(means(texts))), size)

    return Learner(fitted, kinds).as_system(STATIC, data=data)


def _words(text: str) -> str:
    """Lower-case text on one line, with spaces around punctuation: fastText splits at white space only."""
    return " ".join(_NOT_WORD.sub(r" \1 ", text.lower()).split())
