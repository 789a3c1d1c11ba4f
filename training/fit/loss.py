"""What training minimises: cross-entropy on labels, squared distance to a teacher's logits, or both."""

from torch import Tensor
from torch.nn.functional import cross_entropy

from training.data.tokenized import UNLABELLED


def training_loss(
    logits: Tensor,
    labels: Tensor,
    teacher: Tensor | None,
    *,
    label_smoothing: float = 0.0,
    teacher_weight: float = 1.0,
) -> Tensor:
    """Mean over a batch's texts of what each adds: by its label, by its teacher, or by both.

    The distance to the teacher is the mean squared difference of logits (Tang et al. 2019, section 3.2). Adding one
    number to all of a text's logits changes no probability, so both sides are first shifted to a mean of 0.

    Args:
        logits: (texts, labels).
        labels: (texts,) label numbers, ``UNLABELLED`` where there is none.
        teacher: (texts, labels) log-probabilities, rows of NaN where there are none; None where there are none at all.
        label_smoothing: part of the target given to all labels alike.
        teacher_weight: how much the distance counts beside cross-entropy.
    """
    texts = len(labels)
    loss = cross_entropy(logits, labels, ignore_index=UNLABELLED, reduction="sum", label_smoothing=label_smoothing)
    if teacher is not None:
        taught = ~teacher.isnan().any(dim=1)  # (texts,)
        difference = _centred(logits[taught]) - _centred(teacher[taught])  # (taught texts, labels)
        loss = loss + teacher_weight * difference.square().mean(dim=1).sum()
    return loss / texts


def _centred(logits: Tensor) -> Tensor:
    return logits.float() - logits.float().mean(dim=1, keepdim=True)
