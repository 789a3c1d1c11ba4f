"""Training that begins with the weights of an earlier run, such as on other data or with a teacher's scores."""

from pathlib import Path

from torch import Tensor, nn

from training.fit.checkpoint import Checkpoint, CheckpointError, load_checkpoint
from training.fit.task import SentimentTask
from training.network.embedding import QuantizedEmbedding


def start_from(task: SentimentTask, path: Path) -> Checkpoint:
    """Put a checkpoint's weights into a task that was made for new data.

    Optimizer, schedule and epoch start from the beginning. To resume a stopped run, use ``--ckpt_path=last`` instead.
    An embedding that was frozen may learn from now on; it begins with the 8-bit numbers that it had.

    Args:
        task: of the same network, tokenizer and labels.
        path: the checkpoint; the weights are those that export would take from it.

    Returns:
        The checkpoint, with the origin of the weights.

    Raises:
        CheckpointError: the checkpoint cannot be read, or is of another tokenizer, other labels or another network.
    """
    checkpoint = load_checkpoint(path)
    earlier = checkpoint.task
    if earlier.labels != task.labels:
        message = (
            f"{path}: its labels are {', '.join(earlier.labels)}, and those of this run are {', '.join(task.labels)}.\n"
            "Map the labels with --data.label_map and order them with --data.labels_in_order."
        )
        raise CheckpointError(message)
    if earlier.tokenizer_json != task.tokenizer_json:
        message = (
            f"{path}: its tokenizer is another, so its weights would meet other words.\n"
            "Choose the tokenizer as that run did, with the same --data.tokenizer options; a vocabulary that is "
            "learned from the training files changes with them."
        )
        raise CheckpointError(message)
    weights, expected = _weights(earlier, for_task=task), task.state_dict()
    different = sorted(
        name
        for name in weights.keys() | expected.keys()
        if name not in weights or name not in expected or weights[name].shape != expected[name].shape
    )
    if different:
        message = (
            f"{path}: its network is another; these weights differ: {', '.join(different[:3])}"
            f"{' and more' if len(different) > 3 else ''}.\n"  # noqa: PLR2004 - as many as are named
            "Pass the same --model options as that run, which are in config.yaml in its folder."
        )
        raise CheckpointError(message)
    task.load_state_dict(weights)
    return checkpoint


def _weights(earlier: SentimentTask, *, for_task: SentimentTask) -> dict[str, Tensor]:
    """The state dict; a frozen table is converted to trainable weights if the task trains its embedding."""
    weights: dict[str, Tensor] = earlier.state_dict()
    table = earlier.network.embedding
    if isinstance(table, QuantizedEmbedding) and isinstance(for_task.network.embedding, nn.Embedding):
        del weights["network.embedding.codes"], weights["network.embedding.scales"]
        weights["network.embedding.weight"] = table.vectors
    return weights
