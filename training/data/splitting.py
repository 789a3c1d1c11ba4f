"""Splitting of labeled texts into parts that share no text and have equal proportions of labels."""

import json
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from model_store.progress import working
from training.data.examples import Example
from training.data.near_duplicates import group_near_duplicates
from training.data.stratification import stratify
from training.data.text_fingerprint import text_fingerprint


def deal(examples: Iterable[Example], shares: Sequence[float], *, seed: int) -> list[list[Example]]:
    """Deal the examples out, label by label in a shuffled order, each to the part that lags most behind its share.

    Those of multi-label files are dealt out by ``stratify``.

    Texts that repeat one another go to the same part, so no part knows a text of another. The outcome depends on
    only the examples, the shares and the seed.

    Args:
        examples: in the order of their file.
        shares: how much each part gets; equal shares give the folds of a cross-validation.
        seed: of the shuffling.

    Returns:
        The parts, each in the order of the file.
    """
    groups: dict[str, list[Example]] = {}
    for example in examples:
        groups.setdefault(text_fingerprint(example.text), []).append(example)
    shuffled = list(groups.values())
    if any(group[0].labels is not None for group in shuffled):
        places = stratify([_labels_of(group) for group in shuffled], shares, seed=seed)
        return [_collected(shuffled, places, part) for part in range(len(shares))]
    random.Random(seed).shuffle(shuffled)  # noqa: S311 - no secret
    shuffled.sort(key=lambda group: group[0].label)  # stable: the order within a label stays shuffled
    total = sum(shares)
    parts: list[list[Example]] = [[] for _ in shares]
    dealt = [0] * len(shares)
    for group_count, group in enumerate(shuffled, start=1):
        lag = [group_count * share / total - count for share, count in zip(shares, dealt, strict=True)]
        behind = lag.index(max(lag))
        parts[behind].extend(group)
        dealt[behind] += 1
    return [sorted(part, key=lambda example: example.line) for part in parts]


def hold_out(examples: Sequence[Example], share: float, *, seed: int) -> tuple[list[Example], list[Example]]:
    """Hold a share of each label's texts out, at least one, and keep near-duplicates together.

    In a multi-label file the parts are those of ``stratify``, so a label with few texts may get none held out.

    The outcome depends on only the examples, the share and the seed.

    Returns:
        The texts that stay and the texts held out, each in the order of the file.

    Raises:
        ValueError: a label has fewer than two different texts; the message is the label.
    """
    groups: dict[str, dict[int, list[Example]]] = {}
    with working("Looking for near-duplicates"):
        roots = group_near_duplicates([example.text for example in examples])
    if any(example.labels is not None for example in examples):
        return _hold_out_label_sets(examples, roots, share, seed=seed)
    for root, example in zip(roots, examples, strict=True):
        groups.setdefault(examples[root].label, {}).setdefault(root, []).append(example)
    for label in {example.label for example in examples}:
        if len(groups.get(label, {})) < 2:  # noqa: PLR2004 - one text on each side
            raise ValueError(label)
    held: list[Example] = []
    for label in sorted(groups):
        members = list(groups[label].values())
        random.Random(f"{seed} {label}").shuffle(members)  # noqa: S311 - no secret
        for group in members[: max(1, round(share * len(members)))]:
            held += group
    lines = {id(example) for example in held}
    return [example for example in examples if id(example) not in lines], sorted(held, key=lambda each: each.line)


def _hold_out_label_sets(
    examples: Sequence[Example], roots: Sequence[int], share: float, *, seed: int
) -> tuple[list[Example], list[Example]]:
    groups: dict[int, list[Example]] = {}
    for root, example in zip(roots, examples, strict=True):
        groups.setdefault(root, []).append(example)
    members = list(groups.values())
    counts = Counter(label for group in members for label in _labels_of(group))
    for label, count in sorted(counts.items()):
        if count < 2:  # noqa: PLR2004 - one text on each side
            raise ValueError(label)
    places = stratify([_labels_of(group) for group in members], [1 - share, share], seed=seed)
    return _collected(members, places, 0), _collected(members, places, 1)


def _labels_of(group: Sequence[Example]) -> set[str]:
    return {label for example in group for label in example.label_names}


def _collected(groups: Sequence[Sequence[Example]], places: Sequence[int], part: int) -> list[Example]:
    """The examples of a part in the order of the file."""
    members = [example for group, place in zip(groups, places, strict=True) if place == part for example in group]
    return sorted(members, key=lambda example: example.line)


def write_json_lines(path: Path, examples: Iterable[Example]) -> None:
    """Write label and text of each example, as ``--data.format jsonl`` reads them; several labels are a list."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as stream:
        for example in examples:
            label = example.label if example.labels is None else example.labels
            stream.write(json.dumps({"label": label, "text": example.text}, ensure_ascii=False) + "\n")
