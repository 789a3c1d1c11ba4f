"""Prunes a trained network's vocabulary: removes tokens that are rare in its training texts, and their embeddings.

A good part of a pretrained vocabulary occurs in no text of a task: other alphabets, names, other domains. The network
never learned what such tokens mean. Without them a word is split into pieces that it knows, and what cannot be split is
the unknown token. Token ids change, so pruning comes after training.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor

from training.data import tokenization
from training.data.examples import DataError
from training.data.module import SentimentData
from training.data.tokenized_files import LabeledFile, tokenize
from training.fit.checkpoint import Checkpoint
from training.network.embedding import Embedding, QuantizedEmbedding, make_embedding


class VocabularyError(ValueError):
    """A vocabulary that cannot be pruned; the message says why."""


def prune_vocabulary(checkpoint: Checkpoint, *, min_count: int, files: Sequence[Path] = ()) -> int:
    """Remove tokens that occur fewer than ``min_count`` times in the training texts from the task, in place.

    The unknown token stays, and so do single ASCII letters and digits, into which other words are split.

    Args:
        checkpoint: its task is changed.
        min_count: occurrences of a token that stays.
        files: in whose texts tokens are counted, read as the run read its own; by default the run's own. Name all
            files if the run started from another run's weights.

    Returns:
        The number of tokens that were removed.

    Raises:
        DataError: a training file is missing or has changed since the run.
        VocabularyError: the vocabulary does not consist of words or word pieces.
    """
    task = checkpoint.task
    pipeline = json.loads(task.tokenizer_json)
    model = pipeline["model"]
    if model["type"] not in {"WordPiece", "WordLevel"}:
        message = (
            f"tokens can be left out of a WordPiece or a WordLevel vocabulary, and this one is {model['type']}; "
            "export without --min_count"
        )
        raise VocabularyError(message)
    counts = occurrences(checkpoint, files=files)
    prefix = str(model.get("continuing_subword_prefix", ""))
    tokens = [
        token
        for token, index in sorted(model["vocab"].items(), key=lambda entry: int(entry[1]))
        if counts[index] >= min_count or token == model["unk_token"] or _is_character(token.removeprefix(prefix))
    ]
    rows = torch.tensor([model["vocab"][token] for token in tokens])
    model["vocab"] = {token: index for index, token in enumerate(tokens)}
    pruned = Tokenizer.from_str(json.dumps(pipeline, ensure_ascii=False))
    task.tokenizer_json = tokenization.upgrade(pruned).to_str()  # what splits words is written from the vocabulary
    task.network.embedding = _select_rows(task.network.embedding, rows)
    task.network.word_dropout.unknown_id = model["vocab"].get(model["unk_token"])
    return len(counts) - len(tokens)


def occurrences(checkpoint: Checkpoint, *, files: Sequence[Path] = ()) -> Tensor:
    """(vocabulary,) how often each token occurs in the files, in texts cut as training cuts them.

    Raises:
        DataError: a file is missing, or one of the run's own has changed since.
    """
    given = {"train": [str(path) for path in files]} if files else {}
    data = SentimentData(**(checkpoint.data_options | given))
    if not files:
        _check_unchanged(data.files["train"], checkpoint.files)
    counts = torch.zeros(checkpoint.task.network.embedding.num_embeddings, dtype=torch.long)
    for file in data.files["train"]:
        read = tokenize(
            file,
            checkpoint.task.tokenizer_json,
            max_tokens=data.tokenization.max_tokens,
            allowed_labels=None,
            cache_folder=data.cache_folder,
        )
        counts += torch.bincount(read.examples.ids.long(), minlength=len(counts))
    return counts


def _check_unchanged(files: Sequence[LabeledFile], recorded: Sequence[dict[str, Any]]) -> None:
    hashes = [file["sha256"] for file in recorded if file["part"] == "train"]
    for file, sha256 in zip(files, hashes, strict=True):
        if file.sha256 != sha256:
            raise DataError(
                file.path,
                None,
                problem=f"it is not the file that the run was trained on, whose SHA-256 is {sha256}.",
                fix="Bring that file back, or name the files to count tokens in with --counted.",
            )


def _is_character(token: str) -> bool:
    return len(token) == 1 and token.isascii() and token.isalnum()


def _select_rows(embedding: Embedding, rows: Tensor) -> Embedding:
    """The embedding of these rows, in their order."""
    if isinstance(embedding, QuantizedEmbedding):
        table = QuantizedEmbedding(len(rows), embedding.embedding_dim)
        table.codes.copy_(embedding.codes[rows])
        table.scales.copy_(embedding.scales[rows])
        return table
    vectors = embedding.weight.detach()[rows]
    return make_embedding(*vectors.shape, vectors=vectors, frozen=False)
