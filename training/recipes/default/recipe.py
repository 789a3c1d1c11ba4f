"""The inputs and sizes of the recipe of the shipped model."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Options of the recipe, and the paths that follow from them.

    Attributes:
        data: the folder of data sets; docs/how-to/reproduce.md lists them.
        base: the pretrained transformer that becomes the teacher.
        film_teacher: a second teacher, for sentences of film reviews: a bundle, such as that of sentiment-bilstm 2.4.1.
        embeddings: the pretrained transformer whose vocabulary and token embeddings the students take.
        to: where everything is written.
        seeds: number of students; the one with the lowest validation loss is shipped.
        sentences: largest number of sentences of reviews that the teacher scores.
        made_up: largest number of texts generated from each family of templates.
        reviews: largest number of texts of each source and of each test set; 0 for all.
        trees: largest number of the treebank's training sentences; 0 for all.
        teacher_epochs: passes of the teacher over the labeled texts.
        epochs: passes of a student over all texts.
        bfloat16: whether teacher and students compute in bfloat16.
        stored_scores: use the teacher's scores in the repository if they belong to the same texts.
    """

    data: Path
    base: str
    film_teacher: str
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
        """The folder of test sets."""
        return self.texts / "measured"

    @property
    def labeled(self) -> Path:
        """Labeled texts of all domains but the treebank's."""
        return self.texts / "labelled.jsonl"

    @property
    def unlabeled(self) -> Path:
        """Texts that only the teacher labels: reviews, posts and sentences."""
        return self.texts / "unlabelled.jsonl"

    @property
    def film_sentences(self) -> Path:
        """Those of the unlabeled texts that are sentences of film reviews."""
        return self.texts / "film-sentences.jsonl"

    @property
    def validation(self) -> Path:
        """Labeled validation texts, without the treebank's."""
        return self.texts / "validation.jsonl"

    @property
    def made_up_texts(self) -> Path:
        """Texts generated from templates."""
        return self.texts / "made-up.jsonl"

    @property
    def teacher_made_up(self) -> Path:
        """The generated texts that the teacher learns from."""
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
        """All files of a teacher's scores."""
        return [self.scores_of(name) for name in ("phrases", "labelled", "unlabelled", "film-sentences")]

    @property
    def averaged(self) -> Path:
        """The scores of all unlabeled texts; those of sentences of film reviews are the mean of both teachers'."""
        return self.scores / "averaged.parquet"

    @property
    def training_trees(self) -> Path:
        """The treebank's training sentences: the file itself, or the part of it that ``prepare`` writes."""
        return self.texts / "trees.txt" if self.trees else self.treebank("train")

    def scores_of(self, texts: str) -> Path:
        """A file of a teacher's scores: the second teacher's of film-sentences, the first one's of all others."""
        return self.scores / f"{texts}.parquet"

    def treebank(self, part: str) -> Path:
        """A file of the treebank: train, dev or test."""
        return self.data / "sst" / f"{part}.txt.gz"

    def student(self, seed: int) -> Path:
        """The run folder of a student."""
        return self.to / f"seed-{seed}"
