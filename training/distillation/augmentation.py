"""Data augmentation: variants of texts for a teacher to score (Tang et al. 2019, section 3.3).

Three rules make a variant. A word is masked, so that the student learns how much the word matters. A word is replaced
by one of the same part of speech, which gives new grammatical texts. Or the variant is a piece of the text, so that the
student learns the sentiment of phrases.
"""

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from training.distillation.texts import Text

MASK = "\ufffc"
"""Replaces a masked word: the object replacement character, which is unknown to every vocabulary."""

PUNCTUATION = ".,;:!?\"'()[]"

LONGEST_PIECE = 5
"""Maximum number of words of a piece; the number is drawn from 1 to this (Tang et al. 2019, section 3.3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chances:
    """The probability of each rule; defaults as in Tang et al. 2019, section 4.3.

    Attributes:
        mask: that a word is masked.
        swap: that a word is replaced by one of the same part of speech.
        piece: that a variant is a piece of the text.
    """

    mask: float = 0.1
    swap: float = 0.1
    piece: float = 0.25


def augmented(texts: Sequence[Text], *, variants: int, seed: int, chances: Chances | None = None) -> Iterator[Text]:
    """The texts, each followed by its variants without duplicates; variants have no label.

    Args:
        texts: the texts to vary; replacements are drawn from all their words, in proportion to their frequency.
        variants: number of attempts for each text.
        seed: the result depends only on this and the texts.
        chances: the probability of each rule.
    """
    chances = chances or Chances()
    generator = random.Random(seed)  # noqa: S311 - no secret
    tagged = [_tagged(text.text) for text in texts]
    by_tag: dict[str, list[str]] = defaultdict(list)
    for words in tagged:
        for word, tag in words:
            by_tag[tag].append(word)
    seen = {text.text for text in texts}
    for text, words in zip(texts, tagged, strict=True):
        yield text
        for _ in range(variants):
            variant = _variant(words, by_tag, generator, chances)
            if variant not in seen:
                seen.add(variant)
                yield Text(variant, None)


def _variant(
    words: Sequence[tuple[str, str]], by_tag: dict[str, list[str]], generator: random.Random, chances: Chances
) -> str:
    changed = []
    for word, tag in words:
        chance = generator.random()
        if chance < chances.mask:
            changed.append(MASK)
        elif chance < chances.mask + chances.swap:
            changed.append(generator.choice(by_tag[tag]))
        else:
            changed.append(word)
    if generator.random() < chances.piece:
        length = generator.randint(1, min(LONGEST_PIECE, len(changed)))
        start = generator.randint(0, len(changed) - length)
        changed = changed[start : start + length]
    return " ".join(changed)


def _tagged(text: str) -> list[tuple[str, str]]:
    """Words cut at white space, each with its Penn Treebank part of speech; punctuation stays with its word."""
    from textblob.en import tag  # noqa: PLC0415 - an extra; its tagger brings its lexicon along

    words = text.split()
    bare = [word.strip(PUNCTUATION) or word for word in words]
    tags = [part for _, part in tag(" ".join(bare), tokenize=False)]
    if len(tags) != len(words):  # the tagger cuts some words, such as "and/or"
        tags = [tag(word, tokenize=False)[0][1] for word in bare]
    return list(zip(words, tags, strict=True))
