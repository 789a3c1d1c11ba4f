"""Any number of texts, answered in order in groups of bounded size: for ``stream``, ``score`` and bulk requests.

An error takes the place of a text that cannot be answered, so one bad text never ends the others.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from model_store.tokenization import TokenizedText

GROUP_TOKENS = 4096
"""Texts are answered together up to this many tokens: enough for full batches, and under a second of one thread."""

GROUP_TEXTS = 512
"""Maximum number of texts answered together, for texts without tokens."""

Answer = TypeVar("Answer")
Problem = TypeVar("Problem")


def token_groups(
    texts: Iterable[TokenizedText | Problem], *, max_tokens: int = GROUP_TOKENS, max_texts: int = GROUP_TEXTS
) -> Iterator[list[TokenizedText | Problem]]:
    """Consecutive texts in groups; a group ends with the text that fills it, and reads no text after that one.

    Args:
        texts: tokenized texts, and whatever stands in the place of a text that cannot be answered.
        max_tokens: a group ends when it has as many tokens.
        max_texts: a group ends when it has as many members.
    """
    group: list[TokenizedText | Problem] = []
    tokens = 0
    for text in texts:
        group.append(text)
        tokens += len(text) if isinstance(text, TokenizedText) else 0
        if tokens >= max_tokens or len(group) >= max_texts:
            yield group
            group, tokens = [], 0
    if group:
        yield group


def answer_group(
    group: Sequence[TokenizedText | Problem], run: Callable[[Sequence[TokenizedText]], Sequence[Answer]]
) -> list[Answer | Problem]:
    """The members' answers in order: from ``run`` for those that are texts; the others are their own."""
    answers = iter(run([text for text in group if isinstance(text, TokenizedText)]))
    return [next(answers) if isinstance(text, TokenizedText) else text for text in group]
