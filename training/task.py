"""The LightningModule: loss, metrics and optimiser around the network, and what makes a checkpoint self-contained."""

from typing import Any, Literal

import pytorch_lightning as lightning
import torch
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score

from training.data.batches import Batch
from training.network import SentimentNetwork
from training.network.connections import ConnectionName
from training.network.embedding import make_embedding
from training.network.encoder import CellName
from training.network.pooling import PoolingName

WARM_UP = 0.1
"""Part of all steps in which the one-cycle schedule rises to its highest learning rate."""


class SentimentTask(lightning.LightningModule):
    """A sentiment classifier in training.

    Args:
        labels: the classes in the order of the logits; comes from the data.
        tokenizer_json: the tokenizers pipeline; comes from the data.
        vectors: (vocabulary, size) pretrained embedding, or None to start at random; comes from the data.
        embedding_size: width of an embedding that starts at random; pretrained vectors bring their own.
        freeze_embedding: keep pretrained vectors as they are, rounded to 8 bits a number.
        cell: lstm, gru or rnn (tanh).
        layers: layers of the encoder.
        hidden_size: units of one direction.
        bidirectional: read from the end to the start too.
        connection: none, residual, dense or highway.
        pooling: one or more of max, mean, attention, last.
        projection_size: project embedded tokens to this width first; 0 for none.
        embedding_dropout: chance of a unit of an embedded token being zeroed.
        dropout: chance of a unit being zeroed between layers and before the head.
        learning_rate: AdamW's, at its highest.
        weight_decay: AdamW's, on weight matrices.
        schedule: one_cycle (warm up, then down to nothing at the last step) or constant.
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
        pooling: list[PoolingName] = ["max", "mean"],  # noqa: B006 - read for the command line, never changed
        projection_size: int = 0,
        embedding_dropout: float = 0.2,
        dropout: float = 0.2,
        learning_rate: float = 2e-3,
        weight_decay: float = 1e-2,
        schedule: Literal["one_cycle", "constant"] = "one_cycle",
    ) -> None:
        super().__init__()
        embedding_size = embedding_size if vectors is None else vectors.shape[1]
        # The vectors are weights, so they live in the state dict; a checkpoint rebuilds from their width alone.
        self.save_hyperparameters(ignore=["vectors"], logger=False)
        self.hparams["embedding_size"] = embedding_size
        self.labels = labels
        self.tokenizer_json = tokenizer_json
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.schedule = schedule
        vocabulary_size = Tokenizer.from_str(tokenizer_json).get_vocab_size()
        self.network = SentimentNetwork(
            make_embedding(vocabulary_size, embedding_size, vectors=vectors, frozen=freeze_embedding),
            labels=len(labels),
            cell=cell,
            layers=layers,
            hidden_size=hidden_size,
            bidirectional=bidirectional,
            connection=connection,
            pooling=pooling,
            projection_size=projection_size,
            embedding_dropout=embedding_dropout,
            dropout=dropout,
        )
        self.loss = nn.CrossEntropyLoss()
        self.validation_metrics = _metrics(len(labels), "validation/")
        self.test_metrics = _metrics(len(labels), "test/")

    def forward(self, ids: PackedSequence) -> Tensor:
        """Packed token ids to (texts, labels) logits."""
        logits: Tensor = self.network(ids)
        return logits

    def training_step(self, batch: Batch) -> Tensor:
        """Cross-entropy of one batch."""
        loss: Tensor = self.loss(self(batch.ids), batch.labels)
        self.log("train/loss", loss, prog_bar=True, batch_size=len(batch.labels))
        return loss

    def validation_step(self, batch: Batch) -> None:
        """Loss, accuracy and macro-averaged F1 on the validation file."""
        self._measure(batch, self.validation_metrics, "validation/loss")

    def test_step(self, batch: Batch) -> None:
        """The same on the test file."""
        self._measure(batch, self.test_metrics, "test/loss")

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """AdamW; weight decay on matrices only, since a decayed bias is a moved threshold."""
        trained = [parameter for parameter in self.parameters() if parameter.requires_grad]
        groups: list[dict[str, Any]] = [
            {"params": [parameter for parameter in trained if parameter.ndim > 1]},
            {"params": [parameter for parameter in trained if parameter.ndim == 1], "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, lr=self.learning_rate, weight_decay=self.weight_decay)
        if self.schedule == "constant":
            return optimizer
        scheduler = torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            max_lr=self.learning_rate,
            total_steps=int(self.trainer.estimated_stepping_batches),
            pct_start=WARM_UP,
            cycle_momentum=False,
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def _measure(self, batch: Batch, metrics: MetricCollection, loss_name: str) -> None:
        logits = self(batch.ids)
        metrics.update(logits, batch.labels)
        self.log(loss_name, self.loss(logits, batch.labels), prog_bar=True, batch_size=len(batch.labels))
        self.log_dict(metrics, prog_bar=True, batch_size=len(batch.labels))


def _metrics(labels: int, prefix: str) -> MetricCollection:
    return MetricCollection(
        {
            "accuracy": MulticlassAccuracy(labels, average="micro"),
            "macro_f1": MulticlassF1Score(labels, average="macro"),
        },
        prefix=prefix,
    )
