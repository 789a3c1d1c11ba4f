"""A linear model that trains in milliseconds, on batches that carry their row numbers."""

import pytorch_lightning as lightning
import torch
from torch.nn.utils.rnn import PackedSequence

from training.data.tokenized import Batch

ROWS, TEXTS = 24, 3  # texts a batch: 8 batches an epoch


class Matrix(lightning.LightningModule):
    """Least squares with one matrix.

    Args:
        learning_rate: of the optimizer.
        spoil: maps the number of optimizer steps so far and the loss to the loss that is trained on.
        optimizer: its class.

    Attributes:
        seen: optimizer step and rows of every batch.
    """

    def __init__(self, *, learning_rate=0.1, spoil=None, optimizer=torch.optim.AdamW):
        super().__init__()
        torch.manual_seed(0)
        self.layer = torch.nn.Linear(4, 2)
        self.learning_rate, self.optimizer = learning_rate, optimizer
        self.spoil = spoil or (lambda _step, loss: loss)
        self.seen = []

    def training_step(self, batch):
        self.seen.append((self.trainer.global_step, batch.rows.tolist()))
        inputs = torch.randn(len(batch.rows), 4, generator=torch.Generator().manual_seed(int(batch.rows[0])))
        loss = (self.layer(inputs) - inputs[:, :2]).square().mean()
        return self.spoil(self.trainer.global_step, loss)

    def configure_optimizers(self):
        return self.optimizer(self.parameters(), lr=self.learning_rate)


class Rows(torch.utils.data.Dataset):
    """Batches of consecutive rows; the label is the row's parity."""

    def __len__(self):
        return ROWS // TEXTS

    def __getitem__(self, index):
        rows = torch.arange(index * TEXTS, (index + 1) * TEXTS)
        return Batch(PackedSequence(rows, torch.tensor([TEXTS])), rows % 2, rows)
