"""Fine-tunes a pretrained transformer into a teacher, with Lightning."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import pytorch_lightning as lightning
import torch
from pytorch_lightning.callbacks import LearningRateMonitor, ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.nn.functional import log_softmax
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader

from training.data.batches import LengthBucketedSampler
from training.data.examples import Example
from training.data.tokenized import Batch, TokenizedExamples
from training.distillation.teacher import Teacher, load_teacher, read_packed, save_teacher
from training.fit.callbacks.progress import RunProgress
from training.fit.lightning_messages import drop_irrelevant_messages

WARM_UP = 0.06
"""Part of all steps in which the learning rate rises (Liu et al. 2019, table 10)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Options of fine-tuning a teacher.

    Attributes:
        epochs: passes over the training texts.
        batch_size: texts a step, at most.
        tokens_per_batch: maximum number of padded tokens a step, which means fewer long texts; 0
            for no such bound.
        learning_rate: AdamW's maximum; it rises over the first steps and falls to 0 at the last.
        train_embeddings: also the token embeddings, most of a small model's weights; frozen they cost no step.
        precision: Lightning's.
        seed: of the head, the order and dropout.
    """

    epochs: int
    batch_size: int
    tokens_per_batch: int
    learning_rate: float
    train_embeddings: bool
    precision: Literal["32", "bf16-mixed"]
    seed: int


@dataclass(frozen=True, slots=True)
class Targets:
    """The labels of training texts; a coarse one means one of several of the teacher's labels.

    A text labeled "any negative" tells a teacher of five classes only that one of two is right.

    Attributes:
        names: the teacher's own labels, then the coarse ones.
        members: (names, teacher's labels), 1 if the name includes the label.
    """

    names: list[str]
    members: Tensor

    @classmethod
    def of(cls, labels: Sequence[str], coarse: Mapping[str, Sequence[str]]) -> Self:
        """Targets for a teacher's labels and for coarse labels that include several of them."""
        names = [*labels, *coarse]
        stands_for = [[label] for label in labels] + [list(members) for members in coarse.values()]
        return cls(names, torch.tensor([[float(label in members) for label in labels] for members in stands_for]))

    def losses(self, logits: Tensor, targets: Tensor) -> Tensor:
        """(texts,) negative log-likelihood: of the summed probability of all labels that a target includes."""
        members = self.members.to(logits.device)[targets]  # (texts, labels)
        return -(log_softmax(logits.float(), dim=1) + members.log()).logsumexp(dim=1)

    def right(self, logits: Tensor, targets: Tensor) -> Tensor:
        """(texts,) whether the likeliest label is one that the target includes."""
        members = self.members.to(logits.device)[targets]
        return members.gather(1, logits.argmax(dim=1, keepdim=True)).squeeze(1)


class TeacherTask(lightning.LightningModule):
    """Maximum likelihood of the labels, with the learning rate rising and falling along straight lines."""

    def __init__(self, teacher: Teacher, targets: Targets, *, learning_rate: float) -> None:
        super().__init__()
        self.model = teacher.model
        self.targets = targets
        self.padding_id = teacher.padding_id
        self.learning_rate = learning_rate

    def training_step(self, batch: Batch) -> Tensor:
        """The loss of one batch."""
        loss = self.targets.losses(read_packed(self.model, batch.ids, self.padding_id), batch.labels).mean()
        self.log("train/loss", loss, prog_bar=True, batch_size=len(batch.labels))
        return loss

    def validation_step(self, batch: Batch) -> None:
        """Loss and accuracy."""
        logits = read_packed(self.model, batch.ids, self.padding_id)
        loss, right = self.targets.losses(logits, batch.labels), self.targets.right(logits, batch.labels)
        self.log("validation/loss", loss.mean(), prog_bar=True, batch_size=len(batch.labels))
        self.log("validation/accuracy", right.mean(), prog_bar=True, batch_size=len(batch.labels))

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """AdamW with weight decay only for matrices, as BERT was fine-tuned (Devlin et al. 2019, appendix A.3)."""
        trained = [parameter for parameter in self.parameters() if parameter.requires_grad]
        groups = [
            {"params": [parameter for parameter in trained if parameter.ndim > 1], "weight_decay": 0.01},
            {"params": [parameter for parameter in trained if parameter.ndim == 1], "weight_decay": 0.0},
        ]
        optimizer = AdamW(groups, lr=self.learning_rate)
        steps = int(self.trainer.estimated_stepping_batches)
        rising = max(1, int(WARM_UP * steps))
        scheduler = LambdaLR(optimizer, lambda step: min((step + 1) / rising, (steps - step) / (steps - rising + 1)))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


def fine_tune(
    teacher: Teacher,
    targets: Targets,
    *,
    train: list[Example],
    validation: list[Example],
    schedule: Schedule,
    to: Path,
) -> None:
    """Train the teacher and write the best epoch's weights to ``to``, where ``load_teacher`` finds them.

    A stopped run resumes from its last complete epoch; ``to / "run"`` has the state.

    Args:
        teacher: pretrained, with a fresh head.
        targets: what the labels of the texts mean for it.
        train: labeled texts.
        validation: its loss decides the best epoch.
        schedule: how.
        to: the teacher's folder.
    """
    drop_irrelevant_messages()
    lightning.seed_everything(schedule.seed, verbose=False)
    teacher.model.train()  # transformers loads for answering, with dropout off
    teacher.model.get_input_embeddings().requires_grad_(schedule.train_embeddings)
    task = TeacherTask(teacher, targets, learning_rate=schedule.learning_rate)
    run = to / "run"
    keeper = ModelCheckpoint(run, filename="best", monitor="validation/loss", enable_version_counter=False)
    latest = ModelCheckpoint(run, filename="last", enable_version_counter=False)  # after an epoch that is not best too
    trainer = lightning.Trainer(
        max_epochs=schedule.epochs,
        precision=schedule.precision,
        gradient_clip_val=1.0,
        callbacks=[keeper, latest, LearningRateMonitor(), RunProgress()],
        enable_progress_bar=False,
        logger=CSVLogger(run, name="", version=""),
        log_every_n_steps=10,  # a few thousand texts are some dozens of steps
        use_distributed_sampler=False,
        enable_model_summary=False,
    )
    last = run / "last.ckpt"
    trainer.fit(
        task,
        _loader(teacher, targets, train, schedule, shuffle=True),
        _loader(teacher, targets, validation, schedule, shuffle=False),
        ckpt_path=str(last) if last.is_file() else None,
    )
    best = torch.load(keeper.best_model_path, map_location="cpu", weights_only=True)
    task.load_state_dict(best["state_dict"])
    save_teacher(teacher, to)
    load_teacher(str(to), max_tokens=teacher.max_tokens)  # what was written can be read


def _loader(
    teacher: Teacher, targets: Targets, examples: list[Example], schedule: Schedule, *, shuffle: bool
) -> DataLoader[Batch]:
    ids = list(teacher.token_ids(example.text for example in examples))
    numbers = {name: number for number, name in enumerate(targets.names)}
    tokenized = TokenizedExamples.of(ids, [numbers[example.label] for example in examples])
    sampler = LengthBucketedSampler(
        tokenized.lengths,
        batch_size=schedule.batch_size,
        tokens_per_batch=schedule.tokens_per_batch,
        most_rows=schedule.batch_size,
        shuffle=shuffle,
        seed=schedule.seed,
    )
    return DataLoader(tokenized, sampler=sampler, batch_size=None, generator=torch.Generator())
