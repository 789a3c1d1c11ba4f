"""The LightningDataModule: labelled files in, batches out, and the vocabulary and labels they define."""

import hashlib
from collections.abc import Mapping
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Literal

import pytorch_lightning as lightning
from lightning_utilities.core.rank_zero import rank_zero_info
from tokenizers import Tokenizer
from torch import Tensor
from torch.utils.data import DataLoader

from training.data import tokenization
from training.data.batches import Batch, LengthBucketedSampler, TokenizedExamples
from training.data.examples import BadRows, Example
from training.data.readers import Format, read_examples
from training.data.vocabulary import TokenizerName, build_pipeline, starting_vectors


class SentimentData(lightning.LightningDataModule):
    """Labelled text for training, validation and testing.

    Args:
        train: file the model learns from, gzipped or not; see ``format``.
        validation: file that decides when to stop, which checkpoint is best, and the calibration.
        test: file measured once, after training.
        format: csv, tsv, jsonl, parquet, lines ("label text"), trees (Penn Treebank), or auto: by name and content.
        text_column: column or key of the text (csv, tsv, jsonl, parquet).
        label_column: column or key of the label.
        trees: for trees in the training file: every phrase, or the root alone. The other files give roots.
        ptb_tokens: texts are Penn Treebank tokens ("ca n't"), to be joined as a person writes. Trees always are.
        label_map: raw label to label; null leaves those rows out.
        labels_in_order: the labels in the order of the logits; by default those of the training file, sorted.
        on_bad_row: stop at a row that cannot be used, or skip and count it.
        tokenizer: word (a vocabulary from the training file), subword (WordPiece learnt from it), or pretrained.
        tokenizer_folder: for pretrained: a Hugging Face model folder with tokenizer.json and model.safetensors, whose
            input embeddings are used too.
        max_words: size of a word vocabulary, or of a learnt sub-word one; 0 for no limit (word only).
        min_count: how often a word must occur to be in a word vocabulary.
        word_vectors: pretrained vectors for a word vocabulary: a file in GloVe's format, or a name such as 6B.300d.
        vector_size: keep this many principal directions of pretrained vectors; 0 keeps all.
        max_tokens: longer texts are cut at the end.
        batch_size: texts a step.
        seed: decides the order of batches together with the epoch.
        sources: where data and vectors come from and under which licence, in words, for the model card.
    """

    def __init__(
        self,
        train: str,
        validation: str,
        test: str | None = None,
        *,
        format: Format = "auto",  # noqa: A002 - the option's name on the command line
        text_column: str = "text",
        label_column: str = "label",
        trees: Literal["root", "phrases"] = "root",
        ptb_tokens: bool = False,
        label_map: dict[str, str | None] | None = None,
        labels_in_order: list[str] | None = None,
        on_bad_row: Literal["stop", "skip"] = "stop",
        tokenizer: TokenizerName = "word",
        tokenizer_folder: str | None = None,
        max_words: int = 30_000,
        min_count: int = 2,
        word_vectors: str | None = None,
        vector_size: int = 0,
        max_tokens: int = 512,
        batch_size: int = 64,
        seed: int = 0,
        sources: list[str] = [],  # noqa: B006 - read for the command line, never changed
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.train_path, self.validation_path = Path(train), Path(validation)
        self.test_path = Path(test) if test else None
        self.trees: Literal["root", "phrases"] = trees
        self.labels_in_order = labels_in_order
        self.batch_size = batch_size
        self.max_tokens = max_tokens
        self.seed = seed
        self.sources = sources
        self.bad_rows = BadRows(on_bad_row)
        self._read_examples = partial(
            read_examples,
            format=format,
            text_column=text_column,
            label_column=label_column,
            ptb_tokens=ptb_tokens,
            label_map=label_map,
            bad_rows=self.bad_rows,
        )
        self._build_pipeline = partial(
            build_pipeline, tokenizer=tokenizer, folder=tokenizer_folder, max_words=max_words, min_count=min_count
        )
        self._starting_vectors = partial(
            starting_vectors, tokenizer=tokenizer, folder=tokenizer_folder, word_vectors=word_vectors, size=vector_size
        )
        self._examples: dict[str, TokenizedExamples] = {}

    @cached_property
    def labels(self) -> list[str]:
        """The classes in the order of the logits."""
        found = sorted({example.label for example in self._train_examples})
        wanted = self.labels_in_order
        if wanted is not None and sorted(wanted) != found:
            message = f"labels_in_order is {wanted}, but {self.train_path} has the labels {found}"
            raise ValueError(message)
        if len(found) < 2:  # noqa: PLR2004 - a choice needs two
            message = f"{self.train_path}: only the label {found[0]!r} occurs; a classifier needs at least two"
            raise ValueError(message)
        return list(wanted or found)

    @cached_property
    def tokenizer_json(self) -> str:
        """The tokenizers pipeline as JSON."""
        return str(self._pipeline.to_str())

    @cached_property
    def pretrained_vectors(self) -> Tensor | None:
        """(vocabulary, size) starting values of the embedding, or None where it starts at random."""
        return self._starting_vectors(self._pipeline)

    def setup(self, stage: str) -> None:
        """Reads and tokenizes the files the stage needs."""
        if stage == "fit":
            self._prepare("train", self._train_examples)
        if stage in {"fit", "validate"}:
            self._prepare("validation", self._read(self.validation_path))
        if stage == "test" and self.test_path is not None:
            self._prepare("test", self._read(self.test_path))
        if self.bad_rows.count:
            rank_zero_info(self.bad_rows.summary())
        if "_train_examples" in self.__dict__:
            del self._train_examples  # the raw texts are the largest thing here and have served

    def train_dataloader(self) -> DataLoader[Batch]:
        """Shuffled length-bucketed batches."""
        return self._loader("train", shuffle=True)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Batches in order of length."""
        return self._loader("validation", shuffle=False)

    def test_dataloader(self) -> DataLoader[Batch]:
        """Batches in order of length; none where there is no test file."""
        return self._loader("test", shuffle=False)

    def state_dict(self) -> dict[str, list[dict[str, str | int]]]:
        """What the checkpoint keeps of the data: each file's name, usable rows and SHA-256."""
        paths = {"train": self.train_path, "validation": self.validation_path}
        return {
            "files": [
                {"part": part, "name": short_name(path), "rows": len(self._examples[part]), "sha256": _sha256(path)}
                for part, path in paths.items()
                if part in self._examples
            ]
        }

    def load_state_dict(self, state_dict: Mapping[str, list[dict[str, str | int]]]) -> None:
        """Refuses to go on from a checkpoint whose training file was another one."""
        for file in state_dict["files"]:
            if file["part"] == "train" and file["sha256"] != _sha256(self.train_path):
                message = (
                    f"{self.train_path} is not the file this checkpoint was trained on ({file['name']}, SHA-256 "
                    f"{file['sha256']}); start a new run, or pass the original file"
                )
                raise ValueError(message)

    @cached_property
    def _train_examples(self) -> list[Example]:
        return list(self._read_examples(self.train_path, trees=self.trees))

    @cached_property
    def _pipeline(self) -> Tokenizer:
        return self._build_pipeline([example.text for example in self._train_examples])

    def _read(self, path: Path) -> list[Example]:
        return list(self._read_examples(path, allowed_labels=self.labels))

    def _prepare(self, part: str, examples: list[Example]) -> None:
        if part in self._examples:
            return
        numbers = {label: number for number, label in enumerate(self.labels)}
        texts = (example.text for example in examples)
        ids = tokenization.encode_all(self._pipeline, texts, max_tokens=self.max_tokens)
        # A text of nothing but invisible characters has no tokens, and a network has nothing to say of it.
        kept = [(row, numbers[example.label]) for row, example in zip(ids, examples, strict=True) if row]
        self._examples[part] = TokenizedExamples((row for row, _ in kept), [label for _, label in kept])

    def _loader(self, part: str, *, shuffle: bool) -> DataLoader[Batch]:
        examples = self._examples[part]
        sampler = LengthBucketedSampler(examples.lengths, batch_size=self.batch_size, shuffle=shuffle, seed=self.seed)
        # The sampler yields whole batches and the data set packs them, so the loader itself batches nothing.
        return DataLoader(examples, sampler=sampler, batch_size=None)


def short_name(path: Path) -> str:
    """A file's name with its folder's, which tells files apart and says nothing of the machine."""
    return f"{path.parent.name}/{path.name}" if path.parent.name else path.name


@cache
def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
