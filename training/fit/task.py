"""The LightningModule: loss, metrics and optimiser around the network, and what makes a checkpoint self-contained."""

from typing import Any, Literal, get_args

import pytorch_lightning as lightning
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import OneCycleLR, ReduceLROnPlateau
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score

from model_store.manifest import CellName, ConnectionName, PoolingName
from training.data import tokenization
from training.data.tokenized import Batch
from training.fit.loss import training_loss
from training.network import SentimentNetwork
from training.network.embedding import QuantizedEmbedding, make_embedding
from training.network.validation import OptionError, check_choice, check_int, check_positive, check_probability

ScheduleName = Literal["one_cycle", "plateau", "constant"]

WARM_UP = 0.1
"""Part of all steps in which the one-cycle schedule rises to its highest learning rate."""

PLATEAU_PATIENCE = 1
"""Validations in a row without a lower loss that the plateau schedule lets pass; the next one lowers the rate."""

PLATEAU_FACTOR = 0.5
"""What the plateau schedule then multiplies every learning rate by."""

NEVER = 2**62
"""A frequency no run reaches: Lightning keeps the scheduler's state, and the task takes its steps."""


class SentimentTask(lightning.LightningModule):
    """A sentiment classifier in training.

    Args:
        labels: the classes in the order of the logits; comes from the data.
        tokenizer_json: the tokenizers pipeline; comes from the data.
        vectors: (vocabulary, size) pretrained embedding, or None to start at random; comes from the data.
        embedding_size: width of an embedding that starts at random; pretrained vectors bring their own.
        freeze_embedding: keep pretrained vectors as they are, rounded to 8 bits a number.
        cell: lstm, gru or rnn (tanh).
        layers: layers of the encoder, 1 to 16.
        hidden_size: units of one direction.
        bidirectional: read from the end to the start too.
        connection: none, residual, dense or highway.
        layer_norm: normalise what every layer but the first reads; the connection goes around it.
        pooling: one or more of max, mean, attention, last.
        projection_size: project embedded tokens to this width first; 0 for none.
        word_dropout: chance of a token becoming the unknown token.
        embedding_dropout: chance of a unit of an embedded token being zeroed.
        dropout: chance of a unit being zeroed between layers and before the head.
        locked_dropout: chance of a unit being zeroed in all tokens of a text, on embedded tokens and between layers.
        weight_drop: chance of a single recurrent weight being zeroed for one batch, in both directions.
        label_smoothing: part of the target given to all labels alike; in the training loss alone.
        teacher_weight: how much a teacher's scores count beside labels, where training files have both.
        learning_rate: AdamW's, at its highest.
        embedding_learning_rate: the same for the embedding alone, in place of learning_rate and not a factor of it;
            the schedule shapes both alike. None: the embedding learns as fast as all else. Pretrained vectors are
            best tuned more slowly than what starts at random (Howard and Ruder 2018, section 3.2).
        weight_decay: AdamW's, on weight matrices.
        schedule: one_cycle (warm up, then down to nothing at the last step), plateau (halved after two validations in
            a row without a lower loss) or constant.

    Raises:
        OptionError: an option is out of its range.
    """

    def __init__(
        self,
        labels: list[str],
        tokenizer_json: str,
        vectors: Tensor | None = None,
        *,
        embedding_size: int = 100,
        freeze_embedding: bool = False,
        cell: CellName = "lstm",
        layers: int = 2,
        hidden_size: int = 150,
        bidirectional: bool = True,
        connection: ConnectionName = "residual",
        layer_norm: bool = False,
        pooling: list[PoolingName] = ["max", "mean"],  # noqa: B006 - read for the command line, never changed
        projection_size: int = 0,
        word_dropout: float = 0.0,
        embedding_dropout: float = 0.2,
        dropout: float = 0.2,
        locked_dropout: float = 0.0,
        weight_drop: float = 0.0,
        label_smoothing: float = 0.0,
        teacher_weight: float = 1.0,
        learning_rate: float = 2e-3,
        embedding_learning_rate: float | None = None,
        weight_decay: float = 1e-2,
        schedule: ScheduleName = "one_cycle",
    ) -> None:
        super().__init__()
        check_int("embedding_size", embedding_size, minimum=1)
        check_probability("label_smoothing", label_smoothing)
        check_positive("teacher_weight", teacher_weight, advice="1 counts a teacher's scores as much as labels.")
        check_choice("schedule", schedule, choices=get_args(ScheduleName))
        _check_rates(learning_rate, embedding_learning_rate, weight_decay)
        embedding_size = embedding_size if vectors is None else vectors.shape[1]
        # The vectors are weights, so they live in the state dict; a checkpoint rebuilds from their width alone.
        self.save_hyperparameters(ignore=["vectors"], logger=False)
        self.hparams["embedding_size"] = embedding_size
        self.labels = labels
        self.tokenizer_json = tokenizer_json
        self.learning_rate = learning_rate
        self.embedding_learning_rate = embedding_learning_rate
        self.weight_decay = weight_decay
        self.schedule = schedule
        pipeline = Tokenizer.from_str(tokenizer_json)
        self.network = SentimentNetwork(
            make_embedding(pipeline.get_vocab_size(), embedding_size, vectors=vectors, frozen=freeze_embedding),
            labels=len(labels),
            cell=cell,
            layers=layers,
            hidden_size=hidden_size,
            bidirectional=bidirectional,
            connection=connection,
            layer_norm=layer_norm,
            pooling=pooling,
            projection_size=projection_size,
            word_dropout=word_dropout,
            unknown_id=_unknown_id(pipeline),
            embedding_dropout=embedding_dropout,
            dropout=dropout,
            locked_dropout=locked_dropout,
            weight_drop=weight_drop,
        )
        self.loss = nn.CrossEntropyLoss()
        self.label_smoothing = label_smoothing
        self.teacher_weight = teacher_weight
        self.validation_metrics = _metrics(len(labels), "validation/")
        self.test_metrics = _metrics(len(labels), "test/")

    def forward(self, ids: PackedSequence) -> Tensor:
        """Packed token ids to (texts, labels) logits."""
        logits: Tensor = self.network(ids)
        return logits

    def training_step(self, batch: Batch) -> Tensor:
        """The loss of one batch, against smoothed targets and a teacher's scores where there are some."""
        loss = training_loss(
            self(batch.ids),
            batch.labels,
            batch.teacher,
            label_smoothing=self.label_smoothing,
            teacher_weight=self.teacher_weight,
        )
        self.log("train/loss", loss, prog_bar=True, batch_size=len(batch.labels))
        return loss

    def validation_step(self, batch: Batch) -> None:
        """Loss, accuracy and macro-averaged F1 on the validation file."""
        self._measure(batch, self.validation_metrics, "validation/loss")

    def test_step(self, batch: Batch) -> None:
        """The same on the test file."""
        self._measure(batch, self.test_metrics, "test/loss")

    def on_fit_start(self) -> None:
        """Refuses to train on a frozen embedding that nothing was ever put in.

        Only now, because a checkpoint's weights come after the network is made and before this.

        Raises:
            OptionError: the embedding is frozen and blank.
        """
        embedding = self.network.embedding
        if isinstance(embedding, QuantizedEmbedding) and embedding.is_blank:
            message = (
                "freeze_embedding is true, but there are no pretrained vectors to keep: all words would look alike.\n"
                "Name some with --data.word_vectors, or use --data.tokenizer=pretrained with --data.tokenizer_folder,\n"
                "or let the embedding learn with --model.freeze_embedding=false."
            )
            raise OptionError(message)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """AdamW under the chosen schedule.

        Raises:
            OptionError: the embedding is frozen and has a learning rate of its own.
        """
        optimizer = AdamW(self._parameter_groups(), lr=self.learning_rate, weight_decay=self.weight_decay)
        match self.schedule:
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
        """Weight decay on matrices only, since a decayed bias is a moved threshold; the embedding apart if asked."""
        trained = [parameter for parameter in self.parameters() if parameter.requires_grad]
        if self.embedding_learning_rate is None:
            return _decayed_and_not(trained)
        embedding = list(self.network.embedding.parameters())
        if not embedding:
            message = (
                f"embedding_learning_rate is {self.embedding_learning_rate}, but freeze_embedding is true and leaves "
                "nothing to learn there; pass one of the two"
            )
            raise OptionError(message)
        others = [parameter for parameter in trained if all(parameter is not table for table in embedding)]
        return [*_decayed_and_not(others), {"params": embedding, "lr": self.embedding_learning_rate}]

    def _one_cycle(self, optimizer: Optimizer) -> OneCycleLR:
        return OneCycleLR(
            optimizer,
            max_lr=[group["lr"] for group in optimizer.param_groups],
            total_steps=int(self.trainer.estimated_stepping_batches),
            pct_start=WARM_UP,
            cycle_momentum=False,
        )

    def _measure(self, batch: Batch, metrics: MetricCollection, loss_name: str) -> None:
        logits = self(batch.ids)
        metrics.update(logits, batch.labels)
        # Averaged over processes, or each would judge a plateau by its own share of the texts.
        loss = self.loss(logits, batch.labels)
        self.log(loss_name, loss, prog_bar=True, batch_size=len(batch.labels), sync_dist=True)
        self.log_dict(metrics, prog_bar=True, batch_size=len(batch.labels))


def _decayed_and_not(parameters: list[nn.Parameter]) -> list[dict[str, Any]]:
    return [
        {"params": [parameter for parameter in parameters if parameter.ndim > 1]},
        {"params": [parameter for parameter in parameters if parameter.ndim == 1], "weight_decay": 0.0},
    ]


def _check_rates(learning_rate: float, embedding_learning_rate: float | None, weight_decay: float) -> None:
    check_positive("learning_rate", learning_rate, advice="2e-3 is a good start for AdamW.")
    if embedding_learning_rate is not None:
        advice = "To keep pretrained vectors as they are, pass freeze_embedding=true instead."
        check_positive("embedding_learning_rate", embedding_learning_rate, advice=advice)
    if not 0.0 <= weight_decay < float("inf"):
        message = f"weight_decay is {weight_decay}; expected 0 (off) or more, such as 0.01"
        raise OptionError(message)


def _unknown_id(pipeline: Tokenizer) -> int | None:
    unknown = tokenization.unknown_token(pipeline)
    return None if unknown is None else pipeline.token_to_id(unknown)


def _metrics(labels: int, prefix: str) -> MetricCollection:
    return MetricCollection(
        {
            "accuracy": MulticlassAccuracy(labels, average="micro"),
            "macro_f1": MulticlassF1Score(labels, average="macro"),
        },
        prefix=prefix,
    )
