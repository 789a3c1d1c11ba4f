"""Labeled sentences, and small classifiers trained on them, to test claims about accuracy."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from tokenizers import Tokenizer
from torch import nn
from torch.nn import functional
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR

from training.data.batches import LengthBucketedSampler
from training.data.examples import Example
from training.data.readers import read_examples
from training.data.tokenization import UNKNOWN, count_words, encode_all, word_pipeline
from training.data.tokenized import Batch, TokenizedExamples
from training.lecture.settings import Settings
from training.lecture.symbols import take_step
from training.network import SentimentNetwork

BATCH = 32
MAX_WORDS = 20_000
MAX_TOKENS = 128  # of one text; the claims are about sentences
MAX_SCORED = 1_000  # texts a trained network is scored on: enough for an interval of about three points


@dataclass(frozen=True, slots=True)
class Sentences:
    """Token ids of a training part and of a part to score on, the labels, and the words they are made of."""

    train: TokenizedExamples
    scored: TokenizedExamples
    labels: list[str]
    pipeline: Tokenizer

    def describe(self, settings: Settings) -> str:
        """One sentence for the report's settings."""
        files = " and ".join(path.name for path in settings.validation)
        return (
            f"{len(self.train):,} texts of {settings.train.name}, scored on {len(self.scored):,} of {files}; "
            f"{len(self.labels)} labels, {self.pipeline.get_vocab_size():,} words, embeddings from random numbers."
        )


def read_sentences(settings: Settings) -> Sentences:
    """Read the files of the settings; the vocabulary and the labels are those of the training file.

    Raises:
        DataError: a file or a row of it cannot be used.
    """
    train = _read(settings.train, settings, labels=None)
    labels = sorted({example.label for example in train})
    scored = [example for path in settings.validation for example in _read(path, settings, labels=labels)]
    words = [word for word, _ in count_words(example.text for example in train).most_common(MAX_WORDS)]
    pipeline = word_pipeline(words)
    # Files are often sorted by label, so that the first thousand would be one class.
    chosen = torch.randperm(len(scored), generator=torch.Generator().manual_seed(0))[:MAX_SCORED].tolist()
    return Sentences(
        train=_tokenized(train, labels, pipeline),
        scored=_tokenized([scored[position] for position in chosen], labels, pipeline),
        labels=labels,
        pipeline=pipeline,
    )


def new_network(sentences: Sentences, settings: Settings, *, seed: int, **options: Any) -> SentimentNetwork:  # noqa: ANN401
    """A fresh classifier with the settings' options; ``options`` override them."""
    torch.manual_seed(seed)
    pipeline = sentences.pipeline
    return SentimentNetwork(
        nn.Embedding(pipeline.get_vocab_size(), settings.model.embedding_size),
        labels=len(sentences.labels),
        unknown_id=pipeline.token_to_id(UNKNOWN),
        **{**settings.model.network, **options},
    )


def training_batches(sentences: Sentences, *, steps: int, seed: int) -> Iterator[Batch]:
    """``steps`` batches, epoch after epoch, in an order that depends only on the seed."""
    sampler = LengthBucketedSampler(sentences.train.lengths, batch_size=BATCH, shuffle=True, seed=seed)
    taken = 0
    while True:
        for rows in sampler:
            if taken == steps:
                return
            yield sentences.train[rows]
            taken += 1
        sampler.set_epoch(sampler.epoch + 1)


def train(network: SentimentNetwork, sentences: Sentences, settings: Settings, *, steps: int, seed: int) -> None:
    """AdamW under a one-cycle schedule, clipped at norm 1: what ``fit`` does by default, in a few steps."""
    torch.manual_seed(seed)  # dropout must not depend on the numbers drawn for the weights
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = AdamW(parameters, lr=settings.model.learning_rate, weight_decay=1e-2)
    schedule = OneCycleLR(
        optimizer, max_lr=settings.model.learning_rate, total_steps=steps, pct_start=0.1, cycle_momentum=False
    )
    network.train()
    for batch in training_batches(sentences, steps=steps, seed=seed):
        take_step(optimizer, functional.cross_entropy(network(batch.ids), batch.labels), parameters, clip=1.0)
        schedule.step()
    network.eval()


def accuracy(network: SentimentNetwork, sentences: Sentences) -> float:
    """Share of the scored texts with the right label."""
    network.eval()
    right = 0
    with torch.no_grad():
        for rows in LengthBucketedSampler(sentences.scored.lengths, batch_size=BATCH, shuffle=False):
            batch = sentences.scored[rows]
            right += int((network(batch.ids).argmax(dim=-1) == batch.labels).sum())
    return right / len(sentences.scored)


def interval(sentences: Sentences) -> float:
    """Half the width of an accuracy's 95% interval at one half, by the normal approximation."""
    return cast("float", 1.96 * 0.5 / len(sentences.scored) ** 0.5)


def _read(path: Path, settings: Settings, *, labels: list[str] | None) -> list[Example]:
    return list(read_examples(path, settings.reading, allowed_labels=labels))


def _tokenized(examples: list[Example], labels: list[str], pipeline: Tokenizer) -> TokenizedExamples:
    indices = {label: index for index, label in enumerate(labels)}
    ids = list(encode_all(pipeline, (example.text for example in examples), max_tokens=MAX_TOKENS))
    readable = [row for row, text in enumerate(ids) if text]  # a text of only spaces has no token
    return TokenizedExamples.of([ids[row] for row in readable], [indices[examples[row].label] for row in readable])
