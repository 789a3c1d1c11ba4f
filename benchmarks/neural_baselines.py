"""Networks that ``accuracy`` measures: this project's from nothing, and pretrained transformers.

They are fine-tuned as a whole, or by SetFit's recipe for few texts. What was learned is kept in a folder, and a stopped
training goes on.
"""

import random
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.baselines import Labels, Learned, Learner, Lesson, System, size_of
from benchmarks.labeled_sets import LabeledSet
from model_store.softmax import softmax
from training.commands.export import export
from training.commands.export_options import ExportOptions
from training.commands.fit import fit
from training.data.examples import Example
from training.data.splitting import write_json_lines
from training.distillation.teacher import load_teacher, new_teacher
from training.distillation.teacher_training import Schedule, Targets, fine_tune
from training.evaluation.scorer import load_scorer

SCHEDULE = Schedule(
    epochs=2,
    batch_size=16,
    tokens_per_batch=0,
    learning_rate=5e-5,
    train_embeddings=False,
    precision="bf16-mixed",
    seed=0,
)
"""The rates and passes of Devlin et al. 2019, appendix A.3; embeddings stay as they are, which saves a third."""

HELD_OUT = 20
"""One text of so many chooses the pass."""

MAX_TOKENS = 256
TOKENS_PER_BATCH = 4096
FEW = 64
"""Texts a label that SetFit learns from, the most of Tunstall et al. 2022 but for whole sets."""

CONFIG = "training/configs/sst2.yaml"
"""The network's options, with the embeddings and the vocabulary of the transformer."""

BUNDLE = "bundle"
"""The folder of the network as it is served, in 8 bits as the one that ships."""


@dataclass(frozen=True, slots=True)
class Pretrained:
    """A transformer to begin with, and where what it learns is kept.

    Attributes:
        name: in tables.
        folder: of the transformer.
        kept: of what was learned.
    """

    name: str
    folder: Path
    kept: Path

    def learn(self, recipe: str, data: str, labels: Labels, how: Callable[[Path], None]) -> tuple[Path, float]:
        """The folder of a model that was trained by a recipe on data with these labels, trained now if it is not there.

        Returns:
            The folder, and the processor seconds that the training took; of a stopped one, since its last start.
        """
        folder = self.kept / "-".join([self.folder.name, recipe, *data.lower().split(), str(len(labels))])
        seconds = folder / "seconds.txt"
        if not seconds.is_file():
            began = time.process_time()
            how(folder)
            seconds.write_text(f"{time.process_time() - began:.0f}\n", encoding="utf-8")
        return folder, float(seconds.read_text(encoding="utf-8"))


def network(learn_from: Lesson, *, data: str, kinds: Sequence[Labels], pretrained: Pretrained) -> System:
    """This project's network, trained on these texts alone, without a teacher.

    Args:
        learn_from: labels to texts.
        data: their name.
        kinds: the sets of labels to learn.
        pretrained: whose token embeddings it has; they stay as they are.
    """

    def fitted(labels: Labels) -> Learned:
        def learn(folder: Path) -> None:
            train, held_out = _parts(learn_from(labels))
            write_json_lines(folder / "train.jsonl", train)
            write_json_lines(folder / "validation.jsonl", held_out)
            files = [f"--data.{part}={folder / part}.jsonl" for part in ("train", "validation")]
            reading = ["--data.trees=root", "--data.label_map=null"]
            place = [f"--data.tokenizer_folder={pretrained.folder}", f"--trainer.default_root_dir={folder}"]
            fit(["--config", CONFIG, *files, *reading, *place, "--ckpt_path=last"], command="benchmarks.accuracy")
            best = folder / "checkpoints" / "best.ckpt"
            served = ExportOptions(best, to=folder / BUNDLE, storage="int8", arithmetic="int8", overwrite=True)
            export(served, command="benchmarks.accuracy")

        folder, seconds = pretrained.learn("network", data, labels, learn)
        scorer = load_scorer(str(folder / BUNDLE))
        order = [scorer.labels.index(label) for label in labels]
        return Learned(lambda texts: scorer.score(texts)[:, order], size_of(folder / BUNDLE), seconds)

    return Learner(fitted, kinds).as_system("this network", data=data)


def fine_tuned(learn_from: Lesson, *, data: str, kinds: Sequence[Labels], pretrained: Pretrained) -> System:
    """Every weight but the token embeddings trained, with a new head.

    Args:
        learn_from: labels to texts.
        data: their name.
        kinds: the sets of labels to learn.
        pretrained: what to begin with.
    """

    def fitted(labels: Labels) -> Learned:
        def learn(folder: Path) -> None:
            train, held_out = _parts(learn_from(labels))
            fine_tune(
                new_teacher(str(pretrained.folder), labels, max_tokens=MAX_TOKENS),
                Targets.of(labels, {}),
                train=train,
                validation=held_out,
                schedule=SCHEDULE,
                to=folder,
            )

        folder, seconds = pretrained.learn("fine-tuned", data, labels, learn)
        classifier = load_teacher(str(folder), max_tokens=MAX_TOKENS)
        return Learned(
            lambda texts: softmax(classifier.logits(texts, tokens_per_batch=TOKENS_PER_BATCH, bfloat16=True)),
            size_of(folder) - size_of(folder / "run"),
            seconds,
        )

    return Learner(fitted, kinds).as_system(f"{pretrained.name}, fine-tuned", data=data)


def set_fit(learn_from: Lesson, *, data: str, kinds: Sequence[Labels], pretrained: Pretrained) -> System:
    """SetFit: texts of a label drawn together in pairs, then logistic regression (Tunstall et al. 2022).

    Of the texts ``FEW`` a label are drawn. 20 pairs for each, one pass, steps of 16: the paper's section 4.
    """

    def fitted(labels: Labels) -> Learned:
        from setfit import SetFitModel  # noqa: PLC0415 - needed by this system only

        def learn(folder: Path) -> None:
            rows = learn_from(labels)
            examples = [example for label in labels for example in _drawn(rows, label)]
            _train_set_fit(str(pretrained.folder), examples, labels).save_pretrained(folder)

        folder, seconds = pretrained.learn("setfit", data, labels, learn)
        model = SetFitModel.from_pretrained(str(folder))
        return Learned(
            lambda texts: np.asarray(model.predict_proba(list(texts), as_numpy=True), dtype=np.float64),
            size_of(folder),
            seconds,
        )

    return Learner(fitted, kinds).as_system(f"{pretrained.name}, SetFit", data=data)


def _train_set_fit(base: str, examples: Sequence[Example], labels: Labels) -> Any:  # noqa: ANN401 - a SetFitModel
    from datasets import Dataset  # noqa: PLC0415
    from setfit import SetFitModel, Trainer, TrainingArguments  # noqa: PLC0415

    rows = Dataset.from_dict(
        {
            "text": [example.text for example in examples],
            "label": [labels.index(example.label) for example in examples],
        }
    )
    with tempfile.TemporaryDirectory(prefix="benchmark-accuracy-") as folder:
        arguments = TrainingArguments(
            folder, batch_size=16, num_iterations=20, num_epochs=1, seed=0, save_strategy="no", report_to="none"
        )
        trainer = Trainer(SetFitModel.from_pretrained(base, labels=list(labels)), args=arguments, train_dataset=rows)
        trainer.train()
    return trainer.model


def _parts(rows: LabeledSet) -> tuple[list[Example], list[Example]]:
    """Shuffled texts to learn from, and those held out."""
    examples = _examples(rows)
    random.Random(0).shuffle(examples)  # noqa: S311 - not for cryptography
    held_out = len(examples) // HELD_OUT
    return examples[held_out:], examples[:held_out]


def _drawn(rows: LabeledSet, label: str) -> list[Example]:
    of_label = [example for example in _examples(rows) if example.label == label]
    return random.Random(0).sample(of_label, FEW)  # noqa: S311


def _examples(rows: LabeledSet) -> list[Example]:
    return [
        Example(text=text, label=label, line=line)
        for line, (text, label) in enumerate(zip(rows.texts, rows.truth, strict=True), start=1)
    ]
