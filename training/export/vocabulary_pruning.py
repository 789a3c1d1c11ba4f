"""Leaves out of a trained network what its training texts hardly hold: rare tokens, and their rows in the embedding.

Of a pretrained vocabulary a good part stands in no text of a task: other alphabets, names, other trades. The network
never learnt what such tokens do, so a word that needs one is better spelt in the pieces that it knows, and what cannot
be spelt is better called unknown. Numbers of tokens change, so this is done once training is over.
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
    """A vocabulary from which no token can be taken; the message says why."""


def leave_out_rare(checkpoint: Checkpoint, *, min_count: int, files: Sequence[Path] = ()) -> int:
    """Takes tokens that the training texts hold fewer than ``min_count`` times from the task, in place.

    The unknown token stays, and so does every letter and digit of ASCII by itself: what is left out is spelt with them.

    Args:
        checkpoint: whose task is changed.
        min_count: of a token that stays.
        files: whose texts count, read as the run read its own; by default the run's own. A run that began with another
            one's weights knows more than its own files hold.

    Returns:
        How many tokens were left out.

    Raises:
        DataError: a training file is missing, or is not the one the run learnt from.
        VocabularyError: the vocabulary is neither of words nor of word pieces.
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
    spelling = str(model.get("continuing_subword_prefix", ""))
    kept = [
        token
        for token, number in sorted(model["vocab"].items(), key=lambda entry: int(entry[1]))
        if counts[number] >= min_count or token == model["unk_token"] or _spells(token.removeprefix(spelling))
    ]
    rows = torch.tensor([model["vocab"][token] for token in kept])
    model["vocab"] = {token: number for number, token in enumerate(kept)}
    pruned = Tokenizer.from_str(json.dumps(pipeline, ensure_ascii=False))
    task.tokenizer_json = tokenization.upgrade(pruned).to_str()  # what splits words is written from the vocabulary
    task.network.embedding = _selected(task.network.embedding, rows)
    task.network.word_dropout.unknown_id = model["vocab"].get(model["unk_token"])
    return len(counts) - len(kept)


def occurrences(checkpoint: Checkpoint, *, files: Sequence[Path] = ()) -> Tensor:
    """(vocabulary,) how often each token stands in the files, as far as training reads their texts.

    Raises:
        DataError: a file is missing, or one of the run's own is not the one it learnt from.
    """
    given = {"train": [str(path) for path in files]} if files else {}
    data = SentimentData(**(checkpoint.data_options | given))
    if not files:
        _require_same(data.files["train"], checkpoint.files)
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


def _require_same(files: Sequence[LabeledFile], recorded: Sequence[dict[str, Any]]) -> None:
    hashes = [file["sha256"] for file in recorded if file["part"] == "train"]
    for file, sha256 in zip(files, hashes, strict=True):
        if file.sha256 != sha256:
            raise DataError(
                file.path,
                None,
                problem=f"it is not the file that the run learnt from, whose SHA-256 is {sha256}.",
                fix="Bring that file back, or name the files that count with --counted.",
            )


def _spells(token: str) -> bool:
    return len(token) == 1 and token.isascii() and token.isalnum()


def _selected(embedding: Embedding, rows: Tensor) -> Embedding:
    """The embedding of those rows alone, in their order."""
    if isinstance(embedding, QuantizedEmbedding):
        table = QuantizedEmbedding(len(rows), embedding.embedding_dim)
        table.codes.copy_(embedding.codes[rows])
        table.scales.copy_(embedding.scales[rows])
        return table
    vectors = embedding.weight.detach()[rows]
    return make_embedding(*vectors.shape, vectors=vectors, frozen=False)
