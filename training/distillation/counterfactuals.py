"""Texts with an identity term, repeated with other terms of its group, so that all of them get one target.

Counterfactual data augmentation (Lu et al. 2018; Garg et al. 2019): a model that learns the same target for "my Irish
neighbor" and "my Kenyan neighbor" has no reason to tell them apart.
"""

import random
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import yaml

from training.distillation.teacher import TeacherError
from training.distillation.texts import Text

WORD = re.compile(r"(?:\b(?P<article>an?) )?\b(?P<word>[a-z]+(?:-[a-z]+)*)\b", re.IGNORECASE)

VARIANTS = 2
"""Other terms that are tried in the place of a text's first term."""


def read_groups(path: Path) -> list[list[str]]:
    """Groups of exchangeable terms, each a single word, from a YAML file: name to list.

    Raises:
        TeacherError: the file is missing, or is not such a mapping.
    """
    try:
        groups = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        message = f"{path}: cannot be read as groups of terms ({error})."
        raise TeacherError(message) from error
    if not isinstance(groups, dict) or not all(isinstance(terms, list) and len(terms) > 1 for terms in groups.values()):
        message = f"{path}: expected a mapping from a group's name to a list of two terms or more."
        raise TeacherError(message)
    return list(groups.values())


def with_counterfactuals(
    texts: Iterable[Text], groups: Sequence[Sequence[str]], *, variants: int = VARIANTS, seed: int
) -> Iterator[Text]:
    """The texts; each with a term is followed by ``variants`` copies with its label and its group number.

    Args:
        texts: what to vary.
        groups: exchangeable terms; matched as whole words, ignoring case.
        variants: number of other terms that replace a text's first term, in all its positions.
        seed: decides which.
    """
    group_of = {term.lower(): group for group in groups for term in group}
    generator = random.Random(seed)  # noqa: S311 - not a secret
    for index, text in enumerate(texts):
        terms = (match["word"] for match in WORD.finditer(text.text) if match["word"].lower() in group_of)
        term = next(terms, None)
        if term is None:
            yield text
            continue
        others = [other for other in group_of[term.lower()] if other.lower() != term.lower()]
        yield Text(text.text, text.label, group=index)
        for other in generator.sample(others, min(variants, len(others))):
            yield Text(exchange(text.text, term, other), text.label, group=index)


def exchange(text: str, term: str, other: str) -> str:
    """The text with ``term`` replaced by ``other``, in the same case and with the matching article."""

    def replaced(match: re.Match[str]) -> str:
        word, article = match["word"], match["article"]
        if word.lower() != term.lower():
            return match[0]
        new = other[0].upper() + other[1:] if word[0].isupper() else other
        if article is None:
            return new
        suitable = f"{article[0]}{'n' if other[0].lower() in 'aeiou' else ''}"
        return f"{suitable} {new}"

    return WORD.sub(replaced, text)
