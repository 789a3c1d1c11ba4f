"""A teacher: any Hugging Face sequence classifier, as token ids in and logits out."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from model_store.progress import Progress
from training.data.tokenization import chunks
from training.data.tokenized import TokenizedExamples

INSTALL = "Install what distillation needs: pip install -e '.[train,distill]' -c constraints.txt"


class TeacherError(ValueError):
    """A teacher that cannot be used: what is wrong with it, and what to do."""


@dataclass(frozen=True, slots=True)
class Teacher:
    """A classifier and its tokenizer, as ``transformers`` loads them.

    Attributes:
        model: a ``PreTrainedModel`` for sequence classification.
        tokenizer: its ``PreTrainedTokenizerBase``.
        labels: in the order of the logits.
        max_tokens: longer texts are cut at the end, special tokens included.
    """

    model: Any
    tokenizer: Any
    labels: list[str]
    max_tokens: int

    def token_ids(self, texts: Iterable[str]) -> Iterator[list[int]]:
        """Each text's ids with the special tokens that the model expects around them."""
        for chunk in chunks(texts):
            yield from self._encoded(chunk)

    def logits(self, texts: Sequence[str], *, tokens_per_batch: int, bfloat16: bool) -> NDArray[np.float32]:
        """(texts, labels), in the order of the texts.

        Args:
            texts: what to score.
            tokens_per_batch: upper bound of padded tokens in a batch of texts of similar length.
            bfloat16: compute in bfloat16 if that is faster on the processor; logits then differ in the third digit.
        """
        examples = TokenizedExamples.of(list(self.token_ids(texts)), [0] * len(texts))
        logits = np.empty((len(texts), len(self.labels)), dtype=np.float32)
        device = next(self.model.parameters()).device
        order = examples.lengths.argsort(descending=True).tolist()
        self.model.eval()
        with (
            torch.inference_mode(),
            torch.autocast(device.type, torch.bfloat16, enabled=bfloat16),
            Progress("Reading, the longest texts first", total=len(texts)) as progress,
        ):
            start = 0
            while start < len(order):
                size = max(1, tokens_per_batch // int(examples.lengths[order[start]]))
                rows = order[start : start + size]
                start += size
                logits[rows] = read_packed(self.model, examples[rows].ids.to(device), self.padding_id).float().cpu()
                progress.advance(len(rows))
        return logits

    @property
    def padding_id(self) -> int:
        """The id that pads a batch. Padding is masked, so 0 serves if the tokenizer has no padding token."""
        return int(self.tokenizer.pad_token_id or 0)

    def _encoded(self, texts: list[str]) -> list[list[int]]:
        encoded: list[list[int]] = self.tokenizer(texts, truncation=True, max_length=self.max_tokens)["input_ids"]
        return encoded


def read_packed(model: nn.Module, ids: PackedSequence, padding_id: int) -> Tensor:
    """(texts, labels) logits of packed ids, in the order before packing."""
    padded, lengths = pad_packed_sequence(ids, batch_first=True, padding_value=padding_id)  # (texts, tokens)
    mask = torch.arange(padded.shape[1]) < lengths.unsqueeze(1)
    logits: Tensor = model(input_ids=padded, attention_mask=mask.to(padded.device)).logits
    return logits


def load_teacher(name: str, *, max_tokens: int) -> Teacher:
    """Load a teacher from a folder, or by its name on the Hugging Face hub.

    Raises:
        TeacherError: ``transformers`` is not installed, or there is no sequence classifier by that name.
    """
    model, tokenizer = _load(name, {})
    if not any(kind.endswith("ForSequenceClassification") for kind in model.config.architectures or []):
        message = (
            f"{name}: not a sequence classifier but {', '.join(model.config.architectures or ['of no known kind'])}, "
            "so its scores would be random.\n"
            f"Fine-tune it first: python -m training distill teacher {name} --train FILE --validation FILE --to FOLDER"
        )
        raise TeacherError(message)
    labels = [str(model.config.id2label[index]) for index in range(model.config.num_labels)]
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return Teacher(model.to(device), tokenizer, labels, _bounded(max_tokens, model))


def new_teacher(base: str, labels: Sequence[str], *, max_tokens: int) -> Teacher:
    """A pretrained model with a fresh classification head for these labels.

    Raises:
        TeacherError: ``transformers`` is not installed, or there is no model by that name.
    """
    labels_by_index = dict(enumerate(labels))
    indices = {label: index for index, label in labels_by_index.items()}
    options = {
        "num_labels": len(labels),
        "id2label": labels_by_index,
        "label2id": indices,
        "ignore_mismatched_sizes": True,
    }
    model, tokenizer = _load(base, options)
    return Teacher(model, tokenizer, list(labels), _bounded(max_tokens, model))


def save_teacher(teacher: Teacher, folder: Path) -> None:
    """Save a teacher for ``load_teacher``."""
    teacher.model.save_pretrained(folder)
    teacher.tokenizer.save_pretrained(folder)


def _load(name: str, options: dict[str, Any]) -> tuple[Any, Any]:
    try:
        from transformers import AutoModelForSequenceClassification, AutoTokenizer  # noqa: PLC0415 - an extra
        from transformers.utils import logging  # noqa: PLC0415
    except ImportError as error:
        message = f"A teacher needs the package transformers, which is not installed.\n{INSTALL}"
        raise TeacherError(message) from error
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # of loading, which takes a second
    try:
        tokenizer = AutoTokenizer.from_pretrained(name)
        return AutoModelForSequenceClassification.from_pretrained(name, **options), tokenizer
    except (OSError, ValueError) as error:
        first = str(error).strip().partition("\n")[0]
        message = f"{name}: cannot be loaded as a teacher ({first}).\nName a model's folder, or a model on the hub."
        raise TeacherError(message) from error


def _bounded(max_tokens: int, model: Any) -> int:  # noqa: ANN401 - a transformers model
    return min(max_tokens, int(getattr(model.config, "max_position_embeddings", max_tokens)))
