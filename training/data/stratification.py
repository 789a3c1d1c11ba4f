"""Iterative stratification: parts in which every label of multi-label data has its share (Sechidis et al. 2011)."""

import random
from collections.abc import Collection, Sequence


def stratify(label_sets: Sequence[Collection[str]], shares: Sequence[float], *, seed: int) -> list[int]:
    """The part of each item, so that parts have their shares of each label and of all items.

    The rarest label's items are dealt out first, since later ones leave no choice; each goes to the part that needs
    most items of that label, then to the one that needs most items at all (Sechidis, Tsoumakas and Vlahavas 2011, "On
    the Stratification of Multi-label Data", algorithm 1). Items without a label come last.

    Args:
        label_sets: of each item, such as a group of texts that repeat one another.
        shares: how much each part gets.
        seed: of the order in which items are dealt out.
    """
    order = list(range(len(label_sets)))
    random.Random(seed).shuffle(order)  # noqa: S311 - no secret
    part_share = [share / sum(shares) for share in shares]
    waiting: dict[str, dict[int, None]] = {}  # sets that keep their order
    for item in order:
        for label in sorted(set(label_sets[item])):
            waiting.setdefault(label, {})[item] = None
    needed = {label: [share * len(items) for share in part_share] for label, items in waiting.items()}
    needed_in_all = [share * len(order) for share in part_share]
    parts = [-1] * len(order)

    def deal(item: int, label: str | None) -> None:
        most = needed_in_all if label is None else needed[label]
        part = max(range(len(shares)), key=lambda index: (most[index], needed_in_all[index]))
        parts[item] = part
        needed_in_all[part] -= 1
        for own in set(label_sets[item]):
            needed[own][part] -= 1
            del waiting[own][item]

    while any(waiting.values()):
        rarest = min(filter(waiting.get, waiting), key=lambda label: (len(waiting[label]), label))
        for item in list(waiting[rarest]):
            deal(item, rarest)
    for item in order:
        if parts[item] < 0:
            deal(item, None)
    return parts
