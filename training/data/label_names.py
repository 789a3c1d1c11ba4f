"""Labels that are perhaps one label, by their names."""

from collections.abc import Iterable


def labels_alike(labels: Iterable[str]) -> list[list[str]]:
    """Groups of labels that differ only by case or space."""
    alike: dict[str, list[str]] = {}
    for label in labels:
        alike.setdefault("".join(label.split()).casefold(), []).append(label)
    return [group for group in alike.values() if len(group) > 1]
