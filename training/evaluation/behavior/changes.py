"""Changes to a text, such as typing slips; a function returns the text unchanged if it cannot change it."""

import random
import re
from collections.abc import Callable, Mapping

_WORD = re.compile(r"[^\W\d_]{4,}")  # shorter ones are too often another word after a slip


def two_letters_swapped(text: str, chance: random.Random) -> str:
    """Two neighboring inner letters of one word change places: "exciting" to "exicting"."""

    def swap(word: str) -> str:
        positions = [position for position in range(1, len(word) - 2) if word[position] != word[position + 1]]
        if not positions:
            return word
        position = chance.choice(positions)
        return word[:position] + word[position + 1] + word[position] + word[position + 2 :]

    return _in_one_word(text, swap, chance)


def a_letter_missing(text: str, chance: random.Random) -> str:
    """One word lacks an inner letter: "exciting" to "exiting"."""

    def drop(word: str) -> str:
        position = chance.randrange(1, len(word) - 1)
        return word[:position] + word[position + 1 :]

    return _in_one_word(text, drop, chance)


def a_letter_doubled(text: str, chance: random.Random) -> str:
    """One word has an inner letter twice: "exciting" to "excitting"."""

    def double(word: str) -> str:
        position = chance.randrange(1, len(word) - 1)
        return word[: position + 1] + word[position:]

    return _in_one_word(text, double, chance)


def _in_one_word(text: str, change: Callable[[str], str], chance: random.Random) -> str:
    words = list(_WORD.finditer(text))
    if not words:
        return text
    word = chance.choice(words)
    return text[: word.start()] + change(word[0]) + text[word.end() :]


CHANGES: Mapping[str, Callable[[str, random.Random], str]] = {
    "two letters swapped": two_letters_swapped,
    "a letter missing": a_letter_missing,
    "a letter doubled": a_letter_doubled,
    "lower case": lambda text, _: text.lower(),
    "upper case": lambda text, _: text.upper(),
    "no punctuation": lambda text, _: re.sub(r"[.,;:!?]", "", text),
    "no apostrophes": lambda text, _: text.replace("'", ""),
    "typographic apostrophes": lambda text, _: text.replace("'", "\N{RIGHT SINGLE QUOTATION MARK}"),
    "doubled spaces": lambda text, _: text.replace(" ", "  "),
}
"""By the name that template files use."""
