"""The texts that a teacher scores: those of files, variants of them, and copies with other identity terms."""

from collections.abc import Sequence
from pathlib import Path

from training.data.readers import ReadingOptions
from training.distillation.counterfactuals import read_groups, with_counterfactuals
from training.distillation.texts import Text, read_texts


def texts_to_score(
    paths: Sequence[Path],
    reading: ReadingOptions,
    *,
    labeled: bool,
    variants: int = 0,
    counterfactuals: Path | None = None,
    seed: int = 0,
) -> list[Text]:
    """The texts in the order of the scores, which depends on nothing but the arguments.

    Args:
        paths: files of texts.
        reading: how they are read.
        labeled: whether their labels are read.
        variants: number of variants of each text.
        counterfactuals: file of groups of exchangeable terms.
        seed: of variants and terms.

    Raises:
        DataError: a file cannot be used.
    """
    texts = [text for path in paths for text in read_texts(path, reading, labeled=labeled)]
    if variants:
        from training.distillation.augmentation import augmented  # noqa: PLC0415 - needs nltk, which takes 5 s

        texts = list(augmented(texts, variants=variants, seed=seed))
    if counterfactuals is not None:
        texts = list(with_counterfactuals(texts, read_groups(counterfactuals), seed=seed))
    return texts
