"""The LightningModule: loss, metrics and optimizer around the network, and what makes a checkpoint self-contained."""

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

import pytorch_lightning as lightning
from lightning_fabric.utilities.data import AttributeDict
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import OneCycleLR, ReduceLROnPlateau
from torchmetrics import MetricCollection

from model_store.manifest import PoolingName
from training.data import tokenization
from training.data.tokenized import Batch
from training.fit.class_weights import ClassWeights
from training.fit.objective import ONE_LABEL, Objective, objective_of
from training.network import SentimentNetwork
from training.network.embedding import QuantizedEmbedding, make_embedding
from training.network.flat_options import flat_options
from training.network.options import ENCODER, EncoderOptions, RegularizationOptions
from training.network.validation import OptionError, check_choice, check_int, check_positive, check_probability

ScheduleName = Literal["one_cycle", "plateau", "constant"]

WARM_UP = 0.1
"""Part of all steps in which the one-cycle schedule rises to its highest learning rate."""

PLATEAU_PATIENCE = 1
"""Consecutive validations without a lower loss that the plateau schedule tolerates; the next one lowers the rate."""

PLATEAU_FACTOR = 0.5
"""The plateau schedule multiplies all learning rates by this."""

NEVER = 2**62
"""A frequency that no run reaches: Lightning saves the scheduler's state, and the task itself steps it."""


@dataclass(frozen=True, kw_only=True)
class OptimizationOptions:
    """The loss and the optimizer.

    Args:
        label_smoothing: share of the target that is spread evenly over all labels; only in the training loss.
        teacher_weight: weight of a teacher's scores relative to labels, if training files have both.
        class_weights: balanced weighs each label's texts by how rare it is, so that all labels count alike in the
            cross-entropy, or with multi_label the texts with a label count like those without it; none counts all
            texts alike.
        learning_rate: AdamW's maximum learning rate.
        embedding_learning_rate: replaces learning_rate for the embedding; the schedule is the same. By default the
            embedding has learning_rate too. Pretrained vectors are best tuned more slowly than weights that start at
            random (Howard and Ruder 2018, section 3.2).
        layer_decay: multiplies the learning rate once more for each layer below the head: below 1, lower layers, which
            know the language, change less than upper ones, which know the task (Howard and Ruder 2018, section 3.2).
        weight_decay: AdamW's weight decay, for weight matrices.
        schedule: one_cycle (warm-up, then decay to 0 at the last step), plateau (halved after two consecutive
            validations without a lower loss) or constant.
    """

    label_smoothing: float = 0.0
    teacher_weight: float = 1.0
    class_weights: ClassWeights = "none"
    learning_rate: float = 2e-3
    embedding_learning_rate: float | None = None
    layer_decay: float = 1.0
    weight_decay: float = 1e-2
    schedule: ScheduleName = "one_cycle"

    def check(self) -> None:
        """Refuse values out of their range.

        Raises:
            OptionError: a value cannot be used.
        """
        check_probability("label_smoothing", self.label_smoothing)
        check_positive("teacher_weight", self.teacher_weight, advice="1 counts a teacher's scores as much as labels.")
        check_choice("class_weights", self.class_weights, choices=get_args(ClassWeights))
        check_choice("schedule", self.schedule, choices=get_args(ScheduleName))
        check_positive("learning_rate", self.learning_rate, advice="2e-3 is a good start for AdamW.")
        if self.embedding_learning_rate is not None:
            advice = "To keep pretrained vectors as they are, pass freeze_embedding=true instead."
            check_positive("embedding_learning_rate", self.embedding_learning_rate, advice=advice)
        if not 0.0 < self.layer_decay <= 1.0:
            message = f"layer_decay is {self.layer_decay}; expected more than 0 and at most 1, such as 0.7"
            raise OptionError(message)
        if not 0.0 <= self.weight_decay < float("inf"):
            message = f"weight_decay is {self.weight_decay}; expected 0 (off) or more, such as 0.01"
            raise OptionError(message)


REGULARIZATION = RegularizationOptions(embedding_dropout=0.2, dropout=0.2)
OPTIMIZATION = OptimizationOptions()


@flat_options(unsaved=("vectors",), logged=True)
class SentimentTask(lightning.LightningModule):
    """A sentiment classifier in training.

    Args:
        labels: the classes in the order of the logits; comes from the data.
        tokenizer_json: the tokenizers pipeline; comes from the data.
        vectors: (vocabulary, size) pretrained embedding, or None to start at random; comes from the data.
        multi_label: whether a text has any number of labels; comes from the data.
        embedding_size: width of an embedding that starts at random; pretrained vectors bring their own.
        freeze_embedding: keep pretrained vectors as they are, rounded to 8 bits a number.
        pooling: one or more poolings; several are concatenated.
        projection_size: project embedded tokens to this width first; 0 for none.
        encoder: the encoder's shape.
        regularization: noise in training.
        optimization: the loss and the optimizer.

    Raises:
        OptionError: an option is out of its range.
    """

    def __init__(
        self,
        labels: list[str],
        tokenizer_json: str,
        vectors: Tensor | None = None,
        *,
        multi_label: bool = False,
        embedding_size: int = 100,
        freeze_embedding: bool = False,
        pooling: list[PoolingName] = ["max", "mean"],  # noqa: B006 - read for the command line, never changed
        projection_size: int = 0,
        encoder: EncoderOptions = ENCODER,
        regularization: RegularizationOptions = REGULARIZATION,
        optimization: OptimizationOptions = OPTIMIZATION,
    ) -> None:
        super().__init__()
        check_int("embedding_size", embedding_size, minimum=1)
        optimization.check()
        # The vectors are weights, so they are in the state dict; a checkpoint only needs their width besides.
        embedding_size = embedding_size if vectors is None else vectors.shape[1]
        self.hparams["embedding_size"] = embedding_size
        self.labels = labels
        self.multi_label = multi_label
        self.objective: Objective = objective_of(multi_label=multi_label)
        self.tokenizer_json = tokenizer_json
        self.optimization = optimization
        pipeline = Tokenizer.from_str(tokenizer_json)
        self.network = SentimentNetwork(
            make_embedding(pipeline.get_vocab_size(), embedding_size, vectors=vectors, frozen=freeze_embedding),
            labels=len(labels),
            pooling=pooling,
            projection_size=projection_size,
            unknown_id=_unknown_id(pipeline),
            encoder=encoder,
            regularization=regularization,
        )
        self.label_weights: Tensor | None = None  # (labels,), known when the training texts are
        measured = self.objective.metrics(len(labels))
        self.validation_metrics, self.test_metrics = (measured.clone(prefix=part) for part in ("validation/", "test/"))

    @property
    def hparams_initial(self) -> AttributeDict:
        """The hyperparameters that loggers get: without the tokenizer, which has megabytes."""
        initial = super().hparams_initial
        return AttributeDict({name: value for name, value in initial.items() if name != "tokenizer_json"})

    def forward(self, ids: PackedSequence) -> Tensor:
        """Packed token ids to (texts, labels) logits."""
        logits: Tensor = self.network(ids)
        return logits

    def training_step(self, batch: Batch) -> Tensor:
        """The loss of one batch, against smoothed targets and a teacher's scores if there are any."""
        loss = training_loss(
            self(batch.ids),
            batch.labels,
            batch.teacher,
            objective=self.objective,
            label_weights=self.label_weights,
            label_smoothing=self.optimization.label_smoothing,
            teacher_weight=self.optimization.teacher_weight,
        )
        self.log("train/loss", loss, prog_bar=True, batch_size=len(batch.labels))
        return loss

    def validation_step(self, batch: Batch) -> None:
        """Loss and the objective's metrics on the validation file."""
        self._measure(batch, self.validation_metrics, "validation/loss")

    def test_step(self, batch: Batch) -> None:
        """The same on the test file."""
        self._measure(batch, self.test_metrics, "test/loss")

    def on_fit_start(self) -> None:
        """Weigh the labels, and refuse to train on a frozen embedding without pretrained vectors.

        The latter only now, because a checkpoint's weights come after the network is made and before this.

        Raises:
            OptionError: the embedding is frozen and blank.
        """
        embedding = self.network.embedding
        if isinstance(embedding, QuantizedEmbedding) and embedding.is_blank:
            message = (
                "freeze_embedding is true, but there are no pretrained vectors: all words would have the same vector.\n"
                "Name some with --data.word_vectors, or use --data.tokenizer=pretrained with --data.tokenizer_folder,\n"
                "or let the embedding learn with --model.freeze_embedding=false."
            )
            raise OptionError(message)
        data = getattr(self.trainer, "datamodule", None)
        if data is not None:
            self.label_weights = self.weigh_labels(data.training_texts.labels)

    def weigh_labels(self, labels: Tensor) -> Tensor | None:
        """(labels,) weights of the labels by ``class_weights``; None if all count alike.

        Args:
            labels: of the training texts, as those of a ``Batch``.
        """
        if self.optimization.class_weights == "none":
            return None
        return self.objective.balanced(labels, len(self.labels)).to(self.device)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """AdamW under the chosen schedule.

        Raises:
            OptionError: the embedding is frozen and has a learning rate of its own, or the schedule needs a last step
                and the trainer has none.
        """
        options = self.optimization
        optimizer = AdamW(self._parameter_groups(), lr=options.learning_rate, weight_decay=options.weight_decay)
        match options.schedule:
            case "constant":
                return optimizer
            case "plateau":
                scheduler = ReduceLROnPlateau(optimizer, factor=PLATEAU_FACTOR, patience=PLATEAU_PATIENCE)
                # The monitor is only there because Lightning demands one; see ``on_validation_epoch_end``.
                return {
                    "optimizer": optimizer,
                    "lr_scheduler": {"scheduler": scheduler, "monitor": "validation/loss", "frequency": NEVER},
                }
            case "one_cycle":
                return {
                    "optimizer": optimizer,
                    "lr_scheduler": {"scheduler": self._one_cycle(optimizer), "interval": "step"},
                }

    def on_validation_epoch_end(self) -> None:
        """The plateau schedule's step, once a validation and before that validation's checkpoint is written.

        Lightning would take it at the end of the epoch: validations in mid-epoch would not count, and a run resumed
        from the epoch's checkpoint would miss one.
        """
        scheduler = self.lr_schedulers()
        if isinstance(scheduler, ReduceLROnPlateau) and not self.trainer.sanity_checking:
            scheduler.step(self.trainer.callback_metrics["validation/loss"])

    def _parameter_groups(self) -> list[dict[str, Any]]:
        """Weight decay on matrices only, since a decayed bias is a moved threshold; rates by depth if asked."""
        options = self.optimization
        if options.embedding_learning_rate is not None and not list(self.network.embedding.parameters()):
            message = (
                f"embedding_learning_rate is {options.embedding_learning_rate}, but freeze_embedding is true and "
                "leaves nothing to learn there; pass one of the two"
            )
            raise OptionError(message)
        depths = {
            parameter: depth
            for depth, modules in enumerate(self.network.by_depth())
            for module in modules
            for parameter in module.parameters()
        }
        apart = set() if options.embedding_learning_rate is None else set(self.network.embedding.parameters())
        by_rate: dict[float, list[nn.Parameter]] = {}
        for parameter in self.parameters():
            if parameter.requires_grad and parameter not in apart:
                rate = options.learning_rate * options.layer_decay ** depths[parameter]
                by_rate.setdefault(rate, []).append(parameter)
        groups = [{**group, "lr": rate} for rate, members in by_rate.items() for group in _decayed_and_not(members)]
        return [*groups, *([{"params": list(apart), "lr": options.embedding_learning_rate}] if apart else [])]

    def _one_cycle(self, optimizer: Optimizer) -> OneCycleLR:
        steps = self.trainer.estimated_stepping_batches
        if math.isinf(steps):
            message = (
                "schedule is one_cycle, which must know the last step, but the trainer has no last step; pass "
                "--trainer.max_epochs or --trainer.max_steps, or --model.schedule=plateau or constant"
            )
            raise OptionError(message)
        return OneCycleLR(
            optimizer,
            max_lr=[group["lr"] for group in optimizer.param_groups],
            total_steps=int(steps),
            pct_start=WARM_UP if WARM_UP * steps != 1 else 2 * WARM_UP,  # at exactly one step torch divides 0 by 0
            cycle_momentum=False,
        )

    def _measure(self, batch: Batch, metrics: MetricCollection, loss_name: str) -> None:
        logits = self(batch.ids)
        metrics.update(logits, batch.labels)
        # Averaged over processes, or each would judge a plateau by its own share of the texts.
        loss = self.objective.losses(logits, batch.labels).mean()
        self.log(loss_name, loss, prog_bar=True, batch_size=len(batch.labels), sync_dist=True)
        self.log_dict(metrics, prog_bar=True, batch_size=len(batch.labels))


def _decayed_and_not(parameters: list[nn.Parameter]) -> list[dict[str, Any]]:
    return [
        {"params": [parameter for parameter in parameters if parameter.ndim > 1]},
        {"params": [parameter for parameter in parameters if parameter.ndim == 1], "weight_decay": 0.0},
    ]


def _unknown_id(pipeline: Tokenizer) -> int | None:
    unknown = tokenization.unknown_token(pipeline)
    return None if unknown is None else pipeline.token_to_id(unknown)


def training_loss(
    logits: Tensor,
    labels: Tensor,
    teacher: Tensor | None,
    *,
    objective: Objective = ONE_LABEL,
    label_weights: Tensor | None = None,
    label_smoothing: float = 0.0,
    teacher_weight: float = 1.0,
) -> Tensor:
    """The objective's loss on labels plus squared distance to a teacher's logits, averaged over texts.

    The distance to the teacher is the mean squared difference of logits (Tang et al. 2019, section 3.2). Adding one
    number to all of a text's logits changes no probability, so both sides are first shifted to a mean of 0.

    Args:
        logits: (texts, labels).
        labels: as those of a ``Batch``.
        teacher: (texts, labels) log-probabilities, rows of NaN if there are none; None if there are none at all.
        objective: what labels mean.
        label_weights: (labels,) weights of the labels' texts; None counts all alike.
        label_smoothing: part of the target given to all labels alike.
        teacher_weight: weight of the distance relative to the loss on labels.
    """
    texts = len(labels)
    loss = objective.losses(logits, labels, weights=label_weights, label_smoothing=label_smoothing).sum()
    if teacher is not None:
        taught = ~teacher.isnan().any(dim=1)  # (texts,)
        difference = _centered(logits[taught]) - _centered(teacher[taught])  # (taught texts, labels)
        loss = loss + teacher_weight * difference.square().mean(dim=1).sum()
    return loss / texts


def _centered(logits: Tensor) -> Tensor:
    return logits.float() - logits.float().mean(dim=1, keepdim=True)
