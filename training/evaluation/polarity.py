"""Polarities of labels, from their names."""

from collections.abc import Sequence

POLARITIES = {
    "very negative": -1.0, "negative": -1.0, "neg": -1.0, "bad": -1.0,
    "neutral": 0.0, "mixed": 0.0,
    "positive": 1.0, "pos": 1.0, "good": 1.0, "very positive": 1.0,
}  # fmt: skip


def default_polarities(labels: Sequence[str]) -> dict[str, float | None]:
    """Each label's polarity in [-1, 1] by its name; None for an unknown name.

    Whole-number labels ("0" to "4", "1" to "5") are spread evenly in their order. With a "very negative" or "very
    positive" among the labels, the plain ones count half.
    """
    if all(label.removeprefix("-").isdecimal() for label in labels):
        numbers = [int(label) for label in labels]
        low, high = min(numbers), max(numbers)
        return {label: 2 * (number - low) / (high - low) - 1 for label, number in zip(labels, numbers, strict=True)}
    plain = [label.lower().replace("_", " ").replace("-", " ") for label in labels]
    half = any(name.startswith("very ") for name in plain)
    named = {label: POLARITIES.get(name) for label, name in zip(labels, plain, strict=True)}
    if not half:
        return named
    return {
        label: polarity if polarity is None or name.startswith("very ") else polarity / 2
        for (label, polarity), name in zip(named.items(), plain, strict=True)
    }
