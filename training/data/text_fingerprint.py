"""Fingerprints that are equal for equal texts, and word counts, for folds and leak checks."""

import html
import re
import unicodedata

_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_TREEBANK_BRACKET = re.compile(r"-[lr][rsc]b-")


class _WordCharacters(dict[int, int | None]):
    """For ``str.translate``: letters, marks and digits stay (Unicode categories L, M, N); the rest is dropped."""

    def __missing__(self, code: int) -> int | None:
        is_word_character = unicodedata.category(chr(code))[0] in "LMN"
        self[code] = code if is_word_character else None
        return self[code]


_WORD_CHARACTERS = _WordCharacters()


def text_fingerprint(text: str) -> str:
    """A form in which texts are equal that hold the same letters and digits in the same order.

    So case, spacing, punctuation, Unicode form, HTML breaks and entities make no difference, nor whether a text is
    written as a person does or as Penn Treebank tokens ("can't", "ca n't"; "(", "-LRB-"). A text without a letter or
    digit is itself, but for case, spacing and Unicode form.
    """
    plain = _plain(text)
    return plain.translate(_WORD_CHARACTERS) or " ".join(plain.split())


def count_words(text: str) -> int:
    """Pieces between white space that hold a letter or digit; "don't" is one and "do n't" two."""
    return sum(bool(piece.translate(_WORD_CHARACTERS)) for piece in _plain(text).split())


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKC", html.unescape(_BREAK.sub(" ", text))).casefold()
    return _TREEBANK_BRACKET.sub(" ", folded)
