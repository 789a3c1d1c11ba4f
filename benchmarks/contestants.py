"""The networks that ``training_speed`` compares, each with its batches and its training step."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import PackedSequence, pack_sequence, pad_sequence

from model_store.manifest import CellName
from training.network import SentimentNetwork
from training.network.embedding import make_embedding
from training.network.options import EncoderOptions, RegularizationOptions
from training.network.padded_kernels import has_bfloat16_units

LABELS = 3
DROPOUT = 0.2  # the task's default, the same for all contestants
CLIP = 1.0
LEARNING_RATE = 1e-4
WITHOUT_ONEDNN = "encoder without oneDNN"
IN_BFLOAT16 = "encoder bf16"

Precision = Literal["fp32", "bf16"]


@dataclass(frozen=True, slots=True)
class Setup:
    """The options that all contestants share."""

    device: str
    batch_size: int
    embedding_size: int
    hidden_size: int


@dataclass(frozen=True, slots=True)
class Contestant:
    """A network with its batches; ``step`` takes a training step on the batch of an index."""

    name: str
    tokens: int
    step: Callable[[int], None]


@dataclass(frozen=True, slots=True)
class PaddedBatch:
    """Zero-padded (tokens, texts) ids and the (texts, tokens) mask of real ones."""

    ids: Tensor
    mask: Tensor


class FusedStack(nn.Module):
    """Torch's two-layer bidirectional LSTM in place of the encoder."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.stack = nn.LSTM(input_size, hidden_size, num_layers=2, bidirectional=True, dropout=DROPOUT)

    def forward(self, embedded: PackedSequence) -> list[PackedSequence]:
        """The top layer's (all tokens, 2 * hidden)."""
        return [self.stack(embedded)[0]]


class Unpacked(nn.Module):
    """The encoder's network on padded tensors, as in a training loop without packing."""

    def __init__(self, network: SentimentNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: PaddedBatch) -> Tensor:
        """Logits of shape (texts, labels). The backward direction starts in the padding."""
        network, encoder = self.network, self.network.encoder
        below = network.embedding_dropout(network.embedding(batch.ids))  # (tokens, texts, embedding size)
        for index, (layer, connection) in enumerate(zip(encoder.layers, encoder.connections, strict=True)):
            output, _ = layer(encoder.dropout(below) if index else below)  # (tokens, texts, 2 * hidden)
            representation, below = connection(below, output)
        pooled = network.pooling(representation.transpose(0, 1), batch.mask)
        logits: Tensor = network.head(network.dropout(pooled))
        return logits


def make_contestants(
    bucketed: list[list[Tensor]], shuffled: list[list[Tensor]], *, vocabulary: int, setup: Setup
) -> list[Contestant]:
    """All contestants, with weights, optimizer and batches on the device."""
    packed = [
        pack_sequence(texts, enforce_sorted=False).to(setup.device)  # type: ignore[arg-type]  # torch types only dtypes
        for texts in bucketed
    ]
    padded = [pad(texts, setup.device) for texts in shuffled]
    tokens = count_tokens(bucketed)
    contestants = []
    precisions: tuple[Precision, ...] = ("fp32",) if setup.device == "cpu" else ("fp32", "bf16")
    for precision in precisions:
        suffix = "" if len(precisions) == 1 else f" {precision}"
        fused = make_network(vocabulary, setup)
        fused.encoder = FusedStack(setup.embedding_size, setup.hidden_size)  # type: ignore[assignment]
        networks: dict[str, nn.Module] = {
            "encoder": make_network(vocabulary, setup),
            "fused": fused,
            "gru": make_network(vocabulary, setup, cell="gru"),
        }
        for name, network in networks.items():
            step = make_step(network, packed, precision=precision, setup=setup)
            contestants.append(Contestant(name + suffix, tokens, step))
        unpacked = Unpacked(make_network(vocabulary, setup))
        step = make_step(unpacked, padded, precision=precision, setup=setup)
        contestants.append(Contestant("padded" + suffix, count_tokens(shuffled), step))
    if setup.device == "cpu":
        step = make_step(make_network(vocabulary, setup), packed, precision="fp32", setup=setup)
        contestants.append(Contestant(WITHOUT_ONEDNN, tokens, without_onednn(step)))
        if has_bfloat16_units():
            step = make_step(make_network(vocabulary, setup), packed, precision="bf16", setup=setup)
            contestants.append(Contestant(IN_BFLOAT16, tokens, step))
    return contestants


def without_onednn(step: Callable[[int], None]) -> Callable[[int], None]:
    """The same step with torch's own kernels."""

    def step_without(index: int) -> None:
        with torch.backends.mkldnn.flags(enabled=False):
            step(index)

    return step_without


def make_network(vocabulary: int, setup: Setup, *, cell: CellName = "lstm") -> SentimentNetwork:
    """A network of the published shape. Its embedding is frozen: an optimizer step of it would hide differences."""
    torch.manual_seed(0)
    vectors = torch.randn(vocabulary, setup.embedding_size)
    return SentimentNetwork(
        make_embedding(vocabulary, setup.embedding_size, vectors=vectors, frozen=True),
        labels=LABELS,
        pooling=["max", "mean"],
        encoder=EncoderOptions(cell=cell, layers=2, hidden_size=setup.hidden_size),
        regularization=RegularizationOptions(embedding_dropout=DROPOUT, dropout=DROPOUT),
    )


def make_step(
    network: nn.Module, batches: Sequence[PackedSequence | PaddedBatch], *, precision: Precision, setup: Setup
) -> Callable[[int], None]:
    """A function that takes one training step on the batch of an index."""
    network = network.to(setup.device).train()
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=LEARNING_RATE)
    labels = torch.randint(LABELS, (setup.batch_size,), device=setup.device)

    def step(index: int) -> None:
        with autocast(precision, setup.device):
            logits = network(batches[index])
        functional.cross_entropy(logits.float(), labels).backward()
        nn.utils.clip_grad_norm_(parameters, CLIP)
        optimizer.step()
        optimizer.zero_grad()

    return step


def autocast(precision: Precision, device: str) -> AbstractContextManager[object]:
    """Autocast for bf16; otherwise nothing."""
    return torch.autocast(torch.device(device).type, dtype=torch.bfloat16) if precision == "bf16" else nullcontext()


def pad(texts: list[Tensor], device: str) -> PaddedBatch:
    """A batch padded with zeros to its longest text."""
    ids = pad_sequence(texts)  # (tokens, texts)
    lengths = torch.tensor([len(text) for text in texts])
    mask = torch.arange(len(ids)) < lengths.unsqueeze(1)  # (texts, tokens)
    return PaddedBatch(ids.to(device), mask.to(device))


def count_tokens(batches: list[list[Tensor]]) -> int:
    """The number of tokens, without padding."""
    return sum(len(text) for texts in batches for text in texts)
