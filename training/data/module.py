"""The LightningDataModule: labeled files in, batches out, and the vocabulary and labels they define."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import cached_property, partial
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
import torch
from lightning_utilities.core.rank_zero import rank_zero_info
from tokenizers import Tokenizer
from torch import Tensor
from torch.utils.data import DataLoader

from training.data.batches import BatchingOptions, LengthBucketedSampler
from training.data.cache import default_folder
from training.data.examples import DataError, SkippedRows
from training.data.label_names import labels_alike
from training.data.leakage import LeakageOptions, skipped_leaks
from training.data.readers import ReadingOptions
from training.data.readers.files import Files, paths, short_name
from training.data.tokenized import Batch, TokenizedExamples, count_labels
from training.data.tokenized_files import LabeledFile, TokenizedFile, learn_tokenizer, tokenize
from training.data.vocabulary import TokenizerOptions, build_pipeline, fixed_tokenizer, starting_vectors
from training.network.flat_options import flat_options
from training.network.validation import OptionError

READING, LEAKAGE, TOKENIZATION, BATCHING = ReadingOptions(), LeakageOptions(), TokenizerOptions(), BatchingOptions()


@flat_options(logged=True)
class SentimentData(lightning.LightningDataModule):
    """Labeled text for training, validation and testing.

    Args:
        train: training file, gzipped or not, see ``format``; or several: [one.csv, other.parquet]. Files of
            ``distill score`` also have a teacher's scores, and may have texts without a label.
        validation: file that decides when to stop, which checkpoint is best, and the calibration; or several.
        test: file measured once, after training.
        labels_in_order: the labels in the order of the logits; by default those of the training file, sorted.
        cache: keep token ids, and what was learned from the texts, for the next run on the same files and options.
        cache_folder: folder of the cache; by default sentiment-encoder in $XDG_CACHE_HOME, or in ~/.cache.
        sources: origin and license of data and vectors, as sentences for the model card.
        reading: how the files are read; ``trees`` only applies to training files: others always give the roots.
        leakage: texts to keep out of the training and the validation files.
        tokenization: how text becomes tokens.
        batching: how texts come together in batches.
    """

    def __init__(
        self,
        train: Files,
        validation: Files,
        test: str | None = None,
        *,
        labels_in_order: list[str] | None = None,
        cache: bool = True,
        cache_folder: str | None = None,
        sources: list[str] = [],  # noqa: B006 - read for the command line, never changed
        reading: ReadingOptions = READING,
        leakage: LeakageOptions = LEAKAGE,
        tokenization: TokenizerOptions = TOKENIZATION,
        batching: BatchingOptions = BATCHING,
    ) -> None:
        super().__init__()
        tokenization.check()
        batching.check()
        self.held_out = leakage.filter(reading.text_column)
        sentences = replace(reading, trees="root")
        learned = partial(LabeledFile, held_out=self.held_out, on_leak=leakage.on_leak)
        self.files = {
            "train": [learned(path, reading) for path in paths(train)],
            "validation": [learned(path, sentences) for path in paths(validation)],
            "test": [LabeledFile(Path(test), sentences)] if test else [],
        }
        self.cache_folder = (Path(cache_folder) if cache_folder else default_folder()) if cache else None
        self.labels_in_order = labels_in_order
        self.multi_label = reading.multi_label
        self.sources = sources
        self.tokenization = tokenization
        self.batching = batching
        self.bad_rows = SkippedRows(reading.on_bad_row)
        self.leaks = skipped_leaks(leakage.on_leak)
        self._examples: dict[str, TokenizedExamples] = {}
        self._read: dict[str, list[TokenizedFile]] = {}
        self._place = {"epoch": 0, "batch": 0}  # where training resumes

    @cached_property
    def labels(self) -> list[str]:
        """The classes in the order of the logits.

        Raises:
            DataError: there are fewer than two.
            OptionError: they are not those of ``labels_in_order``.
        """
        labels = sorted({label for file in self._train for label in (*file.labels, *file.teacher_labels)})
        if len(labels) < 2:  # noqa: PLR2004 - a choice needs two
            found = f"only the label {labels[0]!r} occurs" if labels else "no label occurs"
            raise DataError(
                self.files["train"][0].path,
                None,
                problem=f"{found} in the training data; a classifier needs at least two.",
                fix="Check --data.label_column and --data.label_map.",
            )
        if self.labels_in_order is not None and sorted(self.labels_in_order) != labels:
            message = f"labels_in_order is {self.labels_in_order}, but {self._names('train')} has the labels {labels}"
            raise OptionError(message)
        return list(self.labels_in_order or labels)

    @cached_property
    def tokenizer_json(self) -> str:
        """The tokenizers pipeline as JSON."""
        options = self.tokenization
        return fixed_tokenizer(options) or learn_tokenizer(
            self.files["train"],
            lambda texts: build_pipeline(texts, options),
            options={name: getattr(options, name) for name in ("tokenizer", "max_words", "min_count")},
            cache_folder=self.cache_folder,
        )

    @cached_property
    def pretrained_vectors(self) -> Tensor | None:
        """(vocabulary, size) starting values of the embedding, or None if it starts at random."""
        pipeline = Tokenizer.from_str(self.tokenizer_json)
        return starting_vectors(pipeline, self.tokenization, cache_folder=self.cache_folder)

    def setup(self, stage: str) -> None:
        """Read and tokenize the files that the stage needs, or map what the cache has of them.

        Raises:
            OptionError: the trainer is to overfit some batches, for which Lightning replaces the sampler.
        """
        if stage == "fit" and getattr(self.trainer, "overfit_batches", False):
            message = (
                "overfit_batches does not work with length-bucketed batches; "
                "pass --trainer.limit_train_batches and --trainer.limit_val_batches instead"
            )
            raise OptionError(message)
        parts = {"fit": ("train", "validation"), "validate": ("validation",), "test": ("test",)}.get(stage, ())
        before = self.bad_rows.count, self.leaks.count
        for part in parts:
            if self.files[part] and part not in self._examples:
                self._prepare(part)
                if part == "train":
                    rank_zero_info(describe_labels(self.labels, self._examples[part].labels))
        if self.bad_rows.count > before[0]:
            rank_zero_info(self.bad_rows.summary())
        if self.leaks.count > before[1]:
            rank_zero_info(self.leaks.summary())

    @property
    def training_texts(self) -> TokenizedExamples:
        """The training files' rows; there after ``setup``."""
        return self._examples["train"]

    def train_dataloader(self) -> DataLoader[Batch]:
        """Shuffled length-bucketed batches."""
        return self._loader("train", shuffle=True)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Batches in order of length."""
        return self._loader("validation", shuffle=False)

    def test_dataloader(self) -> DataLoader[Batch]:
        """Batches in order of length; empty without a test file."""
        return self._loader("test", shuffle=False)

    def state_dict(self) -> dict[str, Any]:
        """State for a checkpoint: name, usable rows and SHA-256 of each file, and the position in the epoch."""
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
        """Resume where a checkpoint left off.

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
                max_tokens=self.tokenization.max_tokens,
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
                rank_zero_info(f"{source.path}: left out {file.without_tokens:,} texts without a token.")

    def _names(self, part: str) -> str:
        return ", ".join(str(file.path) for file in self.files[part])

    def _loader(self, part: str, *, shuffle: bool) -> DataLoader[Batch]:
        examples = self._examples[part]
        sampler = LengthBucketedSampler(
            examples.lengths,
            batch_size=self.batching.batch_size,
            tokens_per_batch=self.batching.tokens_per_batch,
            most_rows=self.batching.most_texts,
            shuffle=shuffle,
            seed=self.batching.seed,
            rank=0 if self.trainer is None else self.trainer.global_rank,
            world_size=self._processes,
        )
        if part == "train":
            sampler.start_at(**self._place)
            rank_zero_info(
                f"Training on {len(examples):,} texts in {len(sampler):,} batches an epoch and process; "
                f"padded they would have {sampler.padding_ratio():.2f} times their tokens."
            )
        # The sampler yields whole batches and the data set packs them, so the loader does not batch. Without a
        # generator of its own a loader draws from the global one whenever an epoch or a validation begins.
        generator = torch.Generator().manual_seed(self.batching.seed)
        return DataLoader(examples, sampler=sampler, batch_size=None, generator=generator)

    @property
    def _processes(self) -> int:
        return 1 if self.trainer is None else self.trainer.world_size

    def _order(self) -> dict[str, int]:
        """Everything except the files that determines the order of batches."""
        return {**asdict(self.batching), "processes": self._processes}

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
        """The epoch to resume in, and the number of its finished batches."""
        if self.trainer is None:
            return self._place
        loop = self.trainer.fit_loop
        epochs = loop.epoch_progress.current.state_dict()
        batches = loop.epoch_loop.batch_progress.current.state_dict()
        within_epoch = epochs["ready"] > epochs["processed"]
        return {"epoch": epochs["processed"], "batch": batches["processed"] if within_epoch else 0}


def describe_labels(labels: Sequence[str], label_indices: Tensor) -> str:
    """Counts of labels, and labels that differ only by case or space.

    Args:
        labels: the classes in the order of the logits.
        label_indices: see ``Batch.labels``.
    """
    counts = count_labels(label_indices, len(labels)).tolist()
    lines = ["Labels: " + ", ".join(f"{label} ({count:,})" for label, count in zip(labels, counts, strict=True))]
    lines += [
        f"The labels {' and '.join(map(repr, group))} differ only by case or space; if they are the same, give them "
        "one name with --data.label_map."
        for group in labels_alike(labels)
    ]
    return "\n".join(lines)
