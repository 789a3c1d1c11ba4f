"""The LightningDataModule: labelled files in, batches out, and the vocabulary and labels they define."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property, partial
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal

import pytorch_lightning as lightning
import torch
from lightning_utilities.core.rank_zero import rank_zero_info
from tokenizers import Tokenizer
from torch import Tensor
from torch.utils.data import DataLoader

from training.data.batches import LengthBucketedSampler
from training.data.cache import default_folder
from training.data.examples import DataError, LeakPolicy, SkippedRows
from training.data.file_lists import Files, paths
from training.data.leakage import MIN_WORDS, LeakageFilter, skipped_leaks
from training.data.readers import Format, ReadingOptions, Trees
from training.data.tokenized import Batch, TokenizedExamples
from training.data.tokenized_files import LabelledFile, TokenizedFile, learn_tokenizer, tokenize
from training.data.vocabulary import TokenizerName, build_pipeline, starting_vectors


class SentimentData(lightning.LightningDataModule):
    """Labelled text for training, validation and testing.

    Args:
        train: file the model learns from, gzipped or not, see ``format``; or several: [one.csv, other.parquet]. Those
            that ``distill score`` wrote hold a teacher's scores too, and may hold texts without a label.
        validation: file that decides when to stop, which checkpoint is best, and the calibration; or several.
        test: file measured once, after training.
        format: csv, tsv, jsonl, parquet, lines ("label text"), trees (Penn Treebank), or auto: by name and content.
        text_column: column or key of the text (csv, tsv, jsonl, parquet).
        label_column: column or key of the label.
        trees: for trees in the training file: every phrase, or the root alone. The other files give roots.
        ptb_tokens: texts are Penn Treebank tokens ("ca n't"), to be joined as a person writes. Trees always are.
        label_map: raw label to label; null leaves those rows out.
        labels_in_order: the labels in the order of the logits; by default those of the training file, sorted.
        on_bad_row: stop at a row that cannot be used, or skip and count it.
        held_out: a file, or a list such as [a.csv, b.csv], of texts that the model will be measured on, which may not
            stand in the training or the validation file; labels are not looked at. See docs/data.md.
        on_leak: stop at a text that is held out, or drop and count it.
        held_out_min_words: held-out texts of fewer words do not count, since short ones repeat by chance.
        tokenizer: word (a vocabulary from the training file), subword (WordPiece learnt from it), or pretrained.
        tokenizer_folder: for pretrained: a Hugging Face model folder with tokenizer.json and model.safetensors, whose
            input embeddings are used too.
        max_words: size of a word vocabulary, or of a learnt sub-word one; 0 for no limit (word only).
        min_count: how often a word must occur to be in a word vocabulary.
        word_vectors: pretrained vectors for a word vocabulary: a file in GloVe's format, or a name such as 6B.300d.
        vector_size: keep this many principal directions of pretrained vectors; 0 keeps all.
        emoji_words: for pretrained: read emoji that carry a feeling as English words; see ``training/data/emoji.py``.
        max_tokens: longer texts are cut at the end.
        cache: keep token ids, and what was learnt from the texts, for the next run on the same files and options.
        cache_folder: where; by default sentiment-encoder in $XDG_CACHE_HOME, or in ~/.cache.
        batch_size: texts a step, of each process.
        tokens_per_batch: instead of batch_size, as many texts a step as keep the longest one's tokens times their
            number within this: even work and even memory whatever the lengths; 0 goes by batch_size.
        most_texts: with tokens_per_batch, also no more texts a step than this, so that words and short phrases do not
            come in hundreds; 0 for no such bound.
        seed: decides the order of batches together with the epoch.
        sources: where data and vectors come from and under which licence, in words, for the model card.
    """

    def __init__(
        self,
        train: Files,
        validation: Files,
        test: str | None = None,
        *,
        format: Format = "auto",  # noqa: A002 - the option's name on the command line
        text_column: str = "text",
        label_column: str = "label",
        trees: Trees = "root",
        ptb_tokens: bool = False,
        label_map: dict[str, str | None] | None = None,
        labels_in_order: list[str] | None = None,
        on_bad_row: Literal["stop", "skip"] = "stop",
        held_out: Files = [],  # noqa: B006 - read for the command line, never changed
        on_leak: LeakPolicy = "stop",
        held_out_min_words: int = MIN_WORDS,
        tokenizer: TokenizerName = "word",
        tokenizer_folder: str | None = None,
        max_words: int = 30_000,
        min_count: int = 2,
        word_vectors: str | None = None,
        vector_size: int = 0,
        emoji_words: bool = False,
        max_tokens: int = 512,
        cache: bool = True,
        cache_folder: str | None = None,
        batch_size: int = 64,
        tokens_per_batch: int = 0,
        most_texts: int = 0,
        seed: int = 0,
        sources: list[str] = [],  # noqa: B006 - read for the command line, never changed
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        options = ReadingOptions(
            format=format,
            text_column=text_column,
            label_column=label_column,
            trees=trees,
            ptb_tokens=ptb_tokens,
            label_map=label_map,
            on_bad_row=on_bad_row,
        )
        sentences = replace(options, trees="root")
        apart = paths(held_out)
        self.held_out = LeakageFilter(apart, text_column=text_column, min_words=held_out_min_words) if apart else None
        self.files = {
            "train": [LabelledFile(path, options, held_out=self.held_out, on_leak=on_leak) for path in paths(train)],
            "validation": [
                LabelledFile(path, sentences, held_out=self.held_out, on_leak=on_leak) for path in paths(validation)
            ],
        }
        if test:
            self.files["test"] = [LabelledFile(Path(test), sentences)]
        self.cache_folder = (Path(cache_folder) if cache_folder else default_folder()) if cache else None
        self.labels_in_order = labels_in_order
        self.batch_size = batch_size
        self.tokens_per_batch = tokens_per_batch
        self.most_texts = most_texts
        self.max_tokens = max_tokens
        self.seed = seed
        self.sources = sources
        self.bad_rows = SkippedRows(on_bad_row)
        self.leaks = skipped_leaks(on_leak)
        self.tokenizer = tokenizer
        self._vocabulary_options = {"tokenizer": tokenizer, "max_words": max_words, "min_count": min_count}
        self._build_pipeline = partial(
            build_pipeline,
            tokenizer=tokenizer,
            folder=tokenizer_folder,
            max_words=max_words,
            min_count=min_count,
            emoji_words=emoji_words,
        )
        self._starting_vectors = partial(
            starting_vectors,
            tokenizer=tokenizer,
            folder=tokenizer_folder,
            word_vectors=word_vectors,
            size=vector_size,
            cache_folder=self.cache_folder,
        )
        self._examples: dict[str, TokenizedExamples] = {}
        self._read: dict[str, list[TokenizedFile]] = {}
        self._place = {"epoch": 0, "batch": 0}  # where training goes on

    @cached_property
    def labels(self) -> list[str]:
        """The classes in the order of the logits."""
        found = sorted({label for file in self._train for label in (*file.labels, *file.teacher_labels)})
        wanted = self.labels_in_order
        if wanted is not None and sorted(wanted) != found:
            message = f"labels_in_order is {wanted}, but {self._names('train')} has the labels {found}"
            raise ValueError(message)
        if len(found) < 2:  # noqa: PLR2004 - a choice needs two
            message = f"{self._names('train')}: only the label {found[0]!r} occurs; a classifier needs at least two"
            raise ValueError(message)
        return list(wanted or found)

    @cached_property
    def tokenizer_json(self) -> str:
        """The tokenizers pipeline as JSON."""
        if self.tokenizer == "pretrained":
            return self._build_pipeline([]).to_str()
        return learn_tokenizer(
            self.files["train"],
            self._build_pipeline,
            options=self._vocabulary_options,
            cache_folder=self.cache_folder,
        )

    @cached_property
    def pretrained_vectors(self) -> Tensor | None:
        """(vocabulary, size) starting values of the embedding, or None where it starts at random."""
        return self._starting_vectors(Tokenizer.from_str(self.tokenizer_json))

    def setup(self, stage: str) -> None:
        """Reads and tokenizes the files the stage needs, or maps what the cache has of them."""
        parts = {"fit": ("train", "validation"), "validate": ("validation",), "test": ("test",)}.get(stage, ())
        before = self.bad_rows.count, self.leaks.count
        for part in parts:
            if part in self.files and part not in self._examples:
                self._prepare(part)
        if self.bad_rows.count > before[0]:
            rank_zero_info(self.bad_rows.summary())
        if self.leaks.count > before[1]:
            rank_zero_info(self.leaks.summary())

    def train_dataloader(self) -> DataLoader[Batch]:
        """Shuffled length-bucketed batches."""
        return self._loader("train", shuffle=True)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Batches in order of length."""
        return self._loader("validation", shuffle=False)

    def test_dataloader(self) -> DataLoader[Batch]:
        """Batches in order of length; none where there is no test file."""
        return self._loader("test", shuffle=False)

    def state_dict(self) -> dict[str, Any]:
        """What the checkpoint keeps of the data: each file's name, usable rows and SHA-256, and the place in it."""
        files = [
            {
                "part": part,
                "name": short_name(file.path),
                "rows": len(read.examples),
                "sha256": file.sha256,
                **({"left_out_as_held_out": read.leaks.count} if self.held_out is not None else {}),
            }
            for part in ("train", "validation")
            for file, read in zip(self.files[part], self._read.get(part, []), strict=False)  # none before ``setup``
        ]
        return {"files": files, "order": self._order(), "place": self._place_now()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Goes on where a checkpoint left off.

        Raises:
            DataError: its training files were others, or it is from the middle of an epoch whose batches were others.
        """
        before = [file for file in state_dict["files"] if file["part"] == "train"]
        for train, file in zip_longest(self.files["train"], before):
            if train is None or file is None or file["sha256"] != train.sha256:
                was = "no such file" if file is None else f"{file['name']}, SHA-256 {file['sha256']}"
                raise DataError(
                    self.files["train"][-1].path if train is None else train.path,
                    None,
                    problem=f"not the file this checkpoint was trained on ({was})",
                    fix="Start a new run, or pass the original files in their order.",
                )
        for train, read, file in zip(self.files["train"], self._read.get("train", []), before, strict=False):
            if file["rows"] != len(read.examples):
                raise DataError(
                    train.path,
                    None,
                    problem=f"{len(read.examples):,} of its texts are used now, and {file['rows']:,} were when this "
                    "checkpoint was made",
                    fix="Start a new run, or pass the original --data.held_out and --data.label_map.",
                )
        self._place = dict(state_dict["place"])
        if self._place["batch"]:
            self._check_order(state_dict["order"])

    @cached_property
    def _train(self) -> list[TokenizedFile]:
        return self._tokenized("train", known_labels=None)

    def _tokenized(self, part: str, *, known_labels: list[str] | None) -> list[TokenizedFile]:
        return [
            tokenize(
                file,
                self.tokenizer_json,
                max_tokens=self.max_tokens,
                allowed_labels=known_labels,
                cache_folder=self.cache_folder,
            )
            for file in self.files[part]
        ]

    def _prepare(self, part: str) -> None:
        read = self._train if part == "train" else self._tokenized(part, known_labels=self.labels)
        self._examples[part] = TokenizedExamples.together([file.numbered_by(self.labels) for file in read])
        self._read[part] = read
        for source, file in zip(self.files[part], read, strict=True):
            self.bad_rows.merge(file.bad_rows)
            self.leaks.merge(file.leaks)
            if file.without_tokens:
                rank_zero_info(f"{source.path}: left out {file.without_tokens:,} texts that hold no token.")

    def _names(self, part: str) -> str:
        return ", ".join(str(file.path) for file in self.files[part])

    def _loader(self, part: str, *, shuffle: bool) -> DataLoader[Batch]:
        examples = self._examples[part]
        sampler = LengthBucketedSampler(
            examples.lengths,
            batch_size=self.batch_size,
            tokens_per_batch=self.tokens_per_batch,
            most_rows=self.most_texts,
            shuffle=shuffle,
            seed=self.seed,
            rank=0 if self.trainer is None else self.trainer.global_rank,
            world_size=self._processes,
        )
        if part == "train":
            sampler.start_at(**self._place)
            rank_zero_info(
                f"Training on {len(examples):,} texts in {len(sampler):,} batches an epoch and process; "
                f"padded they would have {sampler.padding_ratio():.2f} times their tokens."
            )
        # The sampler yields whole batches and the data set packs them, so the loader itself batches nothing. Without a
        # generator of its own a loader draws from the global one whenever an epoch or a validation begins.
        generator = torch.Generator().manual_seed(self.seed)
        return DataLoader(examples, sampler=sampler, batch_size=None, generator=generator)

    @property
    def _processes(self) -> int:
        return 1 if self.trainer is None else self.trainer.world_size

    def _order(self) -> dict[str, int]:
        """All that decides the order of batches, beside the files."""
        return {
            "seed": self.seed,
            "batch_size": self.batch_size,
            "tokens_per_batch": self.tokens_per_batch,
            "most_texts": self.most_texts,
            "processes": self._processes,
        }

    def _check_order(self, before: Mapping[str, int]) -> None:
        for name, now in self._order().items():
            if now != before.get(name, now):
                raise DataError(
                    self.files["train"][0].path,
                    None,
                    problem=f"{name} is {now}, but was {before[name]} in the run that this checkpoint is from",
                    fix=f"It is from the middle of an epoch, which must end in the order it began in: "
                    f"resume with {before[name]}.",
                )

    def _place_now(self) -> dict[str, int]:
        """The epoch to go on with, and how many of its batches are done."""
        if self.trainer is None:
            return self._place
        loop = self.trainer.fit_loop
        epochs = loop.epoch_progress.current.state_dict()
        batches = loop.epoch_loop.batch_progress.current.state_dict()
        within_epoch = epochs["ready"] > epochs["processed"]
        return {"epoch": epochs["processed"], "batch": batches["processed"] if within_epoch else 0}


def short_name(path: Path) -> str:
    """A file's name with its folder's, which tells files apart and says nothing of the machine."""
    return f"{path.parent.name}/{path.name}" if path.parent.name else path.name
