"""Penn Treebank tokens joined to text as a person writes it: ``ca n't`` to ``can't``, ``-LRB-`` to ``(``.

A model trained on spaced-out tokens would meet text it has never seen as soon as a person types a sentence.
"""

import re
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nltk.tokenize.treebank import TreebankWordDetokenizer

_BRACKETS = {"-lrb-": "(", "-rrb-": ")", "-lsb-": "[", "-rsb-": "]", "-lcb-": "{", "-rcb-": "}"}
_ESCAPED = re.compile(r"\\([/*])")
_OPENING = frozenset({"(", "[", "{", "``", "`"})

# NLTK joins these too, but not the second of two ("I 'd 've"), and an ellipsis to the words on both sides.
_JOINED_TO_THE_LEFT = frozenset(
    {"n't", "'s", "'re", "'ve", "'ll", "'d", "'m", "'", ",", ".", ";", ":", "!", "?", "..."}
)

# NLTK would join a dash to the words on both sides. This noncharacter, which no text contains, passes unchanged.
_DASH = "\ufdd0"

# What is left for NLTK: brackets, double quotes, signs, and contractions without an apostrophe. Most phrases have none
# of them, and its thirty substitutions take 0.1 ms a text.
_NEEDS_NLTK = re.compile(
    r"[^\w\s,.;:!?'-]|''|\b(?:can not|d' ye|gim me|gon na|got ta|lem me|more 'n|wan na)\b", re.IGNORECASE
)


def join_tokens(tokens: Iterable[str]) -> str:
    """One text from Penn Treebank tokens, cased or lower-cased."""
    text = " ".join(_prepared(tokens))
    if not _NEEDS_NLTK.search(text):
        return text
    joined: str = _detokenizer().detokenize(text.replace("--", _DASH).split())
    return joined.replace("` ", "'").replace("`", "'").replace(_DASH, "--")


@cache
def _detokenizer() -> "TreebankWordDetokenizer":
    from nltk.tokenize.treebank import TreebankWordDetokenizer  # noqa: PLC0415 - takes seconds, and most files need none

    return TreebankWordDetokenizer()


def _prepared(tokens: Iterable[str]) -> list[str]:
    """Tokens without Treebank escapes, and with what NLTK gets wrong done beforehand."""
    words: list[str] = []
    previous = ""
    for token in map(_unescaped, tokens):
        after_opening = not words or previous in _OPENING
        if token == "." and previous.endswith(".") and previous.strip("."):  # noqa: S105 - a token of text
            continue  # the Treebank writes the full stop of "etc." twice if it ends a sentence
        if token == "'" and previous in _OPENING:  # noqa: S105
            words.append("`")
        elif token.lower() in _JOINED_TO_THE_LEFT and not after_opening:
            words[-1] += token
        else:
            words.append(token)
        previous = token
    return words


def _unescaped(token: str) -> str:
    return _BRACKETS.get(token.lower()) or _ESCAPED.sub(r"\1", token)
