"""What the shipped model is made of, and how much of it."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What is made of what.

    Attributes:
        data: the folder of data sets; docs/how-to/reproduce.md lists them.
        base: the pretrained transformer that becomes the teacher.
        embeddings: the pretrained transformer whose vocabulary and token embeddings the students take.
        to: where everything is written.
        seeds: number of students; the one with the lowest validation loss is shipped.
        sentences: sentences of reviews that the teacher scores, at most.
        made_up: texts made up of each family of templates, at most.
        reviews: texts used of each source and of each set to measure on, at most; 0 for all.
        trees: training sentences of the treebank used, at most; 0 for all.
        teacher_epochs: passes of the teacher over the labelled texts.
        epochs: passes of a student over everything.
        bfloat16: whether teacher and students compute in bfloat16.
        stored_scores: take the teacher's scores that come with the source, where they are of the same texts.
    """

    data: Path
    base: str
    embeddings: str
    to: Path
    seeds: int
    sentences: int
    made_up: int
    reviews: int
    trees: int
    teacher_epochs: int
    epochs: int
    bfloat16: bool
    stored_scores: bool = True

    @property
    def texts(self) -> Path:
        """The folder of prepared texts."""
        return self.to / "texts"

    @property
    def measured(self) -> Path:
        """The folder of sets to measure on."""
        return self.texts / "measured"

    @property
    def labelled(self) -> Path:
        """Labelled texts of all domains but the treebank's."""
        return self.texts / "labelled.jsonl"

    @property
    def unlabelled(self) -> Path:
        """Texts that only the teacher labels: reviews, posts and sentences."""
        return self.texts / "unlabelled.jsonl"

    @property
    def validation(self) -> Path:
        """Labelled texts that validate, beside the treebank's."""
        return self.texts / "validation.jsonl"

    @property
    def made_up_texts(self) -> Path:
        """Texts made up from templates."""
        return self.texts / "made-up.jsonl"

    @property
    def teacher_made_up(self) -> Path:
        """A part of them for the teacher."""
        return self.texts / "teacher-made-up.jsonl"

    @property
    def teacher(self) -> Path:
        """The teacher's folder."""
        return self.to / "teacher"

    @property
    def scores(self) -> Path:
        """The folder of the teacher's scores."""
        return self.to / "scores"

    @property
    def scored(self) -> list[Path]:
        """The files of scores that students learn from."""
        return [self.scores / f"{name}.parquet" for name in ("phrases", "labelled", "unlabelled")]

    @property
    def training_trees(self) -> Path:
        """The treebank's training sentences: the file itself, or the part of it that ``prepare`` cuts."""
        return self.texts / "trees.txt" if self.trees else self.treebank("train")

    def treebank(self, part: str) -> Path:
        """A file of the treebank: train, dev or test."""
        return self.data / "sst" / f"{part}.txt.gz"

    def student(self, seed: int) -> Path:
        """The run folder of a student."""
        return self.to / f"seed-{seed}"
