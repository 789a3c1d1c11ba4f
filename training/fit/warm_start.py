"""Training that begins with earlier weights, such as on other data, with other labels, or with a teacher's scores."""

import torch
from torch import Tensor, nn

from training.fit.checkpoint import Checkpoint, CheckpointError
from training.fit.task import SentimentTask
from training.network.embedding import QuantizedEmbedding


def start_from(task: SentimentTask, earlier: Checkpoint, *, name: str, new_head: bool = False) -> None:
    """Put earlier weights into a task that was made for new data.

    Optimizer, schedule and epoch start from the beginning. To resume a stopped run, use ``--ckpt_path=last`` instead.
    An embedding that was frozen may learn from now on; it begins with the 8-bit numbers that it had.

    Args:
        task: of the same network and tokenizer.
        earlier: a checkpoint or a bundle read back; the weights are those that export would take from it.
        name: what it was loaded from, for messages.
        new_head: allow other labels. A label that the earlier task had too keeps its row of the head; the row of
            another begins at 0.

    Raises:
        CheckpointError: it is of another tokenizer or another network, or without ``new_head`` of other labels.
    """
    if earlier.task.multi_label != task.multi_label and not new_head:
        kinds = {False: "one label a text", True: "any number of labels a text"}
        message = (
            f"{name}: it gives {kinds[earlier.task.multi_label]}, and this run {kinds[task.multi_label]}.\n"
            "Pass --new_head, or change --data.multi_label."
        )
        raise CheckpointError(message)
    if earlier.task.labels != task.labels and not new_head:
        message = (
            f"{name}: its labels are {', '.join(earlier.task.labels)}, and those of this run are "
            f"{', '.join(task.labels)}.\n"
            "Map the labels with --data.label_map and order them with --data.labels_in_order, or pass --new_head."
        )
        raise CheckpointError(message)
    if earlier.task.tokenizer_json != task.tokenizer_json:
        message = (
            f"{name}: its tokenizer is another, so its weights would meet other words.\n"
            "Choose the tokenizer as that run did, with the same --data.tokenizer options; a vocabulary that is "
            "learned from the training files changes with them."
        )
        raise CheckpointError(message)
    weights, expected = _weights(earlier.task, for_task=task), task.state_dict()
    if new_head:
        weights |= _head(earlier.task, labels=task.labels)
    different = sorted(
        name
        for name in weights.keys() | expected.keys()
        if name not in weights or name not in expected or weights[name].shape != expected[name].shape
    )
    if different:
        message = (
            f"{name}: its network is another; these weights differ: {', '.join(different[:3])}"
            f"{' and more' if len(different) > 3 else ''}.\n"  # noqa: PLR2004 - as many as are named
            "Pass the same --model options as that run, which are in config.yaml in its folder."
        )
        raise CheckpointError(message)
    task.load_state_dict(weights)


def _head(earlier: SentimentTask, *, labels: list[str]) -> dict[str, Tensor]:
    """The head for other labels: rows of the earlier one by name, and 0 for new labels."""
    rows = {}
    for name, values in earlier.network.head.state_dict().items():
        rows[f"network.head.{name}"] = torch.stack(
            [
                values[earlier.labels.index(label)] if label in earlier.labels else torch.zeros_like(values[0])
                for label in labels
            ]
        )
    return rows


def _weights(earlier: SentimentTask, *, for_task: SentimentTask) -> dict[str, Tensor]:
    """The state dict; a frozen table is converted to trainable weights if the task trains its embedding."""
    weights: dict[str, Tensor] = earlier.state_dict()
    table = earlier.network.embedding
    if isinstance(table, QuantizedEmbedding) and isinstance(for_task.network.embedding, nn.Embedding):
        del weights["network.embedding.codes"], weights["network.embedding.scales"]
        weights["network.embedding.weight"] = table.vectors
    return weights
