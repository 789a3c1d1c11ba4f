"""What the shipped model is made of, and how much of it."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What is made of what.

    Attributes:
        data: the folder of data sets, with ``sst/`` and ``imdb/``, and ``amazon_reviews/`` to measure on.
        base: the pretrained transformer that becomes the teacher; the student takes its token embeddings.
        to: where everything is written.
        seeds: how many students; the one that validation likes best is shipped.
        sentences: how many sentences of reviews the teacher scores.
        made_up: how many texts of each family of templates are made up, at most.
        reviews: how many reviews of each kind are used, at most; 0 for all.
        trees: how many of the treebank's training sentences are used, at most; 0 for all.
        teacher_epochs: passes of the teacher over the treebank's phrases.
        epochs: passes of a first student over all but the unlabelled reviews.
        second_epochs: passes of a student over everything, beginning with the first one's weights.
        bfloat16: whether teacher and students compute in bfloat16.
    """

    data: Path
    base: str
    to: Path
    seeds: int
    sentences: int
    made_up: int
    reviews: int
    trees: int
    teacher_epochs: int
    epochs: int
    second_epochs: int
    bfloat16: bool

    @property
    def texts(self) -> Path:
        """The folder of prepared texts."""
        return self.to / "texts"

    @property
    def teacher(self) -> Path:
        """The teacher's folder."""
        return self.to / "teacher"

    @property
    def phrases(self) -> Path:
        """The teacher's scores of the treebank's phrases."""
        return self.to / "scores" / "phrases.parquet"

    @property
    def lines(self) -> Path:
        """The teacher's scores of sentences of reviews."""
        return self.to / "scores" / "sentences.parquet"

    @property
    def ngrams(self) -> Path:
        """The linear classifier that knows whole reviews."""
        return self.to / "reviews.ngrams"

    @property
    def whole_reviews(self) -> Path:
        """What it and a first student together make of the unlabelled reviews."""
        return self.to / "scores" / "reviews.parquet"

    @property
    def made_up_texts(self) -> Path:
        """Texts from templates, which every run reads."""
        return self.texts / "made-up.jsonl"

    @property
    def last_made_up_texts(self) -> Path:
        """More of them, for the last run; twice as many of a family, since each is read once."""
        return self.texts / "made-up-last.jsonl"

    @property
    def training_trees(self) -> Path:
        """The treebank's training sentences: the file itself, or the part of it that ``prepare`` cuts."""
        return self.texts / "trees.txt" if self.trees else self.treebank("train")

    def treebank(self, part: str) -> Path:
        """A file of the treebank: train, dev or test."""
        return self.data / "sst" / f"{part}.txt.gz"

    def first(self, seed: int) -> Path:
        """The run folder of a first student."""
        return self.to / f"first-{seed}"

    def student(self, seed: int) -> Path:
        """The run folder of a student, which begins where the first one of its seed ended."""
        return self.to / f"seed-{seed}"

    def last(self, seed: int) -> Path:
        """The run folder of its last, short run."""
        return self.to / f"last-{seed}"
