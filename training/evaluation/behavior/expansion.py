"""Expansion of a family's templates into cases, by filling their slots reproducibly."""

import math
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice, zip_longest

from training.evaluation.behavior.changes import CHANGES
from training.evaluation.behavior.families import Family

Case = tuple[str, ...]
"""A text, or a text and a changed one."""

_SLOT = re.compile(r"\{(?P<article>a )?(?P<key>(?P<words>[a-z_]+)\d?)\}")
_BEGINS_WITH_A_VOWEL = re.compile(r"[aeiou]", re.IGNORECASE)  # enough for the words in templates/; see tests


def cases(family: Family, *, max_cases: int, seed: int) -> list[Case]:
    """At most ``max_cases`` distinct cases, as evenly spread over the templates as possible.

    Args:
        family: its name is part of the seed, so a family's cases do not depend on the other families.
        max_cases: maximum number.
        seed: of the choice of words.

    Raises:
        KeyError: a slot has no list of words.
    """
    # A string seeds through SHA-512, which is the same in every process; Python's own hash of it is not.
    chance = random.Random(f"{seed} {family.name}")  # noqa: S311 - no secret
    of_templates = [
        _changed(_filled(template, family.words, max_cases=max_cases, chance=chance), family.change, chance)
        for template in family.templates
    ]
    in_turn = (case for case in chain.from_iterable(zip_longest(*of_templates)) if case is not None)
    return list(islice(dict.fromkeys(in_turn), max_cases))


def _changed(filled: Iterator[Case], change: str | None, chance: random.Random) -> list[Case]:
    if change is None:
        return list(filled)
    pairs = [(text, CHANGES[change](text, chance)) for (text,) in filled]
    return [pair for pair in pairs if pair[0] != pair[1]]


def _filled(
    template: Sequence[str], words: Mapping[str, Sequence[str]], *, max_cases: int, chance: random.Random
) -> Iterator[Case]:
    """The template's texts with words drawn without repeating a combination."""
    slots = {slot["key"]: slot["words"] for text in template for slot in _SLOT.finditer(text)}
    sizes = [len(words[name]) for name in slots.values()]
    combinations = math.prod(sizes)
    # More than needed: of {good1} and {good2} the combinations in which both are the same word are left out.
    for combination in chance.sample(range(combinations), min(combinations, 4 * max_cases)):
        rest, values = combination, {}
        for (key, name), size in zip(slots.items(), sizes, strict=True):
            rest, position = divmod(rest, size)
            values[key] = words[name][position]
        chosen = [(name, values[key]) for key, name in slots.items()]
        if len(set(chosen)) == len(chosen):
            yield tuple(_capitalized(text) for text in _without_slots(template, values, words, chance))


def _without_slots(
    template: Sequence[str], values: dict[str, str], words: Mapping[str, Sequence[str]], chance: random.Random
) -> Sequence[str]:
    """Fill the template's slots, and those of the filled-in words, each with the same word in all its positions."""
    texts = template
    while slots := {slot["key"]: slot["words"] for text in texts for slot in _SLOT.finditer(text)}:
        for key, name in slots.items():
            values[key] = values.get(key) or chance.choice(words[name])
        texts = [_with_words(text, values) for text in texts]
    return texts


def _with_words(text: str, values: Mapping[str, str]) -> str:
    return _SLOT.sub(lambda slot: _with_article(values[slot["key"]], article=bool(slot["article"])), text)


def _capitalized(text: str) -> str:
    return text if text.startswith(("http", "www.")) else text[0].upper() + text[1:]


def _with_article(word: str, *, article: bool) -> str:
    if not article:
        return word
    return f"an {word}" if _BEGINS_WITH_A_VOWEL.match(word) else f"a {word}"
