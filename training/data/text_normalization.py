"""Text normalization: typing habits and damaged characters are read as the intended words.

All of it is part of the ``tokenizers`` pipeline, so serving runs no Python for it and offsets stay those of the text
as sent. The parts that depend on the vocabulary are written for it when the pipeline is built.
"""

import json
import re
import string
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any
from unicodedata import category

from tokenizers import Tokenizer

# Each class comes first in its alternative: the search then skips ASCII without trying the rest.
_APOSTROPHES = (
    r"[`\x{91}\x{92}\x{B4}\x{2B9}\x{2BB}-\x{2BF}\x{2C8}\x{2CA}\x{2CB}\x{374}\x{384}\x{55A}\x{5F3}\x{7F4}\x{7F5}"
    r"\x{1FBD}\x{1FBF}\x{1FEF}\x{1FFD}\x{2018}\x{2019}\x{201B}\x{2032}\x{2035}\x{275B}\x{275C}\x{A78B}\x{A78C}\x{FF07}]"
)
_INVISIBLE = (
    r"[\x{AD}\x{34F}\x{61C}\x{180B}-\x{180E}\x{200B}\x{200D}-\x{200F}\x{202A}-\x{202E}\x{2060}-\x{2064}\x{2066}-\x{206F}"
    r"\x{20D0}-\x{20FF}\x{FE00}-\x{FE0F}\x{FEFF}\x{1F3FB}-\x{1F3FF}\x{E0001}-\x{E01EF}\p{Co}]"
)
# What cp1252 and Latin-1 show for the bytes 80 to BF, which go on a character in UTF-8.
_CONTINUATION = (
    r"[\x{80}-\x{BF}\x{152}\x{153}\x{160}\x{161}\x{178}\x{17D}\x{17E}\x{192}\x{2C6}\x{2DC}\x{2013}\x{2014}"
    r"\x{2018}-\x{201A}\x{201C}-\x{201E}\x{2020}-\x{2022}\x{2026}\x{2030}\x{2039}\x{203A}\x{20AC}\x{2122}]"
)
FOLDS = (
    (
        (
            rf"{_APOSTROPHES}(?<=\p{{L}}.)(?=\p{{L}})"
            r"|\x{FFFD}(?<=\p{L}.)(?=(?:[tsdm]|re|ve|ll)\b)"
            r"|\x{E2}(?:\x{20AC}[\x{2DC}\x{2122}]|\x{80}[\x{98}\x{99}])"
            r"|&(?:\#0?39|\#x27|\#821[67]|apos|[lr]squo);"
        ),
        "'",
    ),
    (
        r"\x{E2}(?:\x{20AC}(?:[\x{153}\x{9D}]|(?![\x{201C}\x{201D}\x{2013}\x{2014}\x{A2}\x{A6}]))|\x{80}[\x{9C}\x{9D}])",
        '"',
    ),
    (r"\x{E2}(?:\x{20AC}[\x{201C}\x{201D}\x{2013}\x{2014}]|\x{80}[\x{93}\x{94}])", "-"),
    (r"\x{E2}(?:\x{20AC}\x{A6}|\x{80}\x{A6})", "..."),
    (rf"\x{{E2}}{_CONTINUATION}{{2}}|\x{{F0}}[\x{{178}}\x{{9F}}]{_CONTINUATION}{{1,2}}", " "),
    (r"\x{C3}[\x{A0}\x{A1}\x{A2}\x{A3}\x{A4}\x{A5}]", "a"),
    (r"\x{C3}\x{A7}", "c"),
    (r"\x{C3}[\x{A8}\x{A9}\x{AA}\x{AB}\x{2030}\x{89}]", "e"),
    (r"\x{C3}[\x{AC}\x{AD}\x{AE}\x{AF}]", "i"),
    (r"\x{C3}\x{B1}", "n"),
    (r"\x{C3}[\x{B2}\x{B3}\x{B4}\x{B5}\x{B6}]", "o"),
    (r"\x{C3}[\x{B9}\x{BA}\x{BB}\x{BC}]", "u"),
    (rf"{_INVISIBLE}|\x{{C2}}(?=[\x{{80}}-\x{{BF}}])", ""),
)
"""Patterns (Oniguruma) and what each is read as: apostrophes between letters, UTF-8 read as cp1252, signs not seen."""

_LENGTHENED = "(?#lengthened)"
_SYMBOLS = "(?#symbols)"
"""Comments within the expressions written for a vocabulary, by which they are found again."""

_BERT = {"type": "BertPreTokenizer"}
_WHITE_SPACE = {"type": "WhitespaceSplit"}
_PUNCTUATION = r"|\p{P}"

_SPELT_WITH_THREE = r"(?<=\bw)ww\b|(?<=\bi|\bvi|\bxi|\bxvi|\bxxi|\bxxvi)ii\b|(?<=\bx|\blx)xx(?:i{1,3}|iv|vi{0,3}|ix)?\b"
"""Of the run's first letter: www and Roman numerals."""

_EMPHASIZED = frozenset({"too", "soon", "off", "boo", "hiss", "ass", "loss", "loose", "hmm", "aww", "eww", "brr"})
"""Words with a doubled letter that are meant when it is lengthened, though the word with a single one is frequent."""


def normalize_text(pipeline: Tokenizer) -> Tokenizer:
    """The same vocabulary behind a pipeline that reads noisy text. Idempotent.

    Apply it again if the vocabulary was changed. The normalizer reads apostrophes of every kind between letters as
    ``'``, undoes UTF-8 read as cp1252, drops invisible characters, and shortens letters repeated three times or more.
    Before a WordPiece model, symbols and characters that the vocabulary lacks are split from the words they touch, and
    words too long for the model are cut.
    """
    parts = json.loads(pipeline.to_str())
    folds = [_replace(pattern, content) for pattern, content in FOLDS]
    steps = [
        step
        for step in _steps(parts["normalizer"], "normalizers")
        if step not in folds and not _pattern(step).startswith(_LENGTHENED)
    ]
    words = {token: index for token, index in parts["model"]["vocab"].items() if token.isalpha()}
    shorten = _replace(_LENGTHENED + lengthened_pattern(words, cased=_keeps_case(pipeline)), "")
    parts["normalizer"] = {"type": "Sequence", "normalizers": [*folds, *steps, shorten]}
    if parts["model"]["type"] == "WordPiece":
        steps = _split_symbols(_steps(parts["pre_tokenizer"], "pretokenizers"), parts["model"])
        parts["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": steps}
    return Tokenizer.from_str(json.dumps(parts, ensure_ascii=False))


def lengthened_pattern(words: Mapping[str, int], *, cased: bool = False) -> str:
    """An expression for the letters to delete from runs of three or more.

    One letter stays, or two if the vocabulary has the word with two and, if it has both, gives that one the lower
    id, as vocabularies are ordered by frequency. The last letter of a word is not deleted, so that its offsets span the
    run. Words that are spelled with three, such as Roman numerals, stay.

    Args:
        words: the vocabulary's whole words with their ids.
        cased: whether text reaches the expression with capital letters.
    """
    endings: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for word, start in _doubled(words):
        endings[word[start]][word[start + 2 :]].append(word[: start + 1])
    by_letter = []
    for letter, groups in sorted(endings.items()):
        choices = [
            rf"(?={letter}+{ending}{'+' if ending else ''}\b)(?<=\b(?:{'|'.join(starts)}))"
            for ending, starts in groups.items()
        ]
        by_letter.append(rf"(?={letter})(?:{'|'.join(choices)})")
    triples = [
        rf"(?<=\b{word[: match.start() + 1]}){word[match.start() + 1 :]}\b"
        for word in words
        if word.isalpha() and (match := re.search(r"(\w)\1\1", word))
    ]
    only_run = r"(?<!\w.)(?=\1+(?!\w))"
    doubled = "|".join([only_run, *by_letter])
    return (
        rf"{'(?i)' if cased else ''}(\p{{L}})(?=\1\1)(?!{'|'.join([_SPELT_WITH_THREE, *triples])})"
        rf"(?:(?:{doubled})\K\1+(?=\1(?!\1))|\1+(?=\1(?!\w))|\K\1{{2,}})"
    )


def _doubled(words: Mapping[str, int]) -> Iterable[tuple[str, int]]:
    """Words in which a lengthened letter stays twice, and the position of the pair."""
    for word in sorted(words.keys() | _EMPHASIZED, key=lambda word: (words.get(word, len(words)), word)):
        if not word.isalpha():
            continue
        for match in re.finditer(r"(\w)\1+", word):
            single = word[: match.start()] + word[match.start() + 1 :]
            frequent = single not in words or words.get(word, len(words)) < words[single]
            if len(match[0]) == 2 and len(word) > 2 and (frequent or word in _EMPHASIZED):  # noqa: PLR2004 - a pair
                yield word, match.start()


def _split_symbols(steps: Sequence[dict[str, Any]], model: dict[str, Any]) -> list[dict[str, Any]]:
    """The pre-tokenizer's steps, and after them a split around what the vocabulary does not read as part of a word."""
    letters = "".join(_ranges(sorted(_alphabet(model))))
    limit = model["max_input_chars_per_word"]
    # BERT's own step takes twice as long as splitting at white space; its punctuation can be part of the expression.
    punctuation = any(step == _BERT or _pattern(step).endswith(_PUNCTUATION) for step in steps)
    pattern = (
        rf"{_SYMBOLS}[^{letters}\s\p{{P}}\p{{S}}]+|[{letters}]{{{limit}}}|\p{{S}}{_PUNCTUATION if punctuation else ''}"
    )
    split = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
    others = [_WHITE_SPACE if step == _BERT else step for step in steps if not _pattern(step).startswith(_SYMBOLS)]
    return [*others, split]


def _steps(part: dict[str, Any] | None, name: str) -> list[dict[str, Any]]:
    """The steps of a normalizer or pre-tokenizer, which may be a sequence, a single step or absent."""
    if part is None:
        return []
    steps: list[dict[str, Any]] = part.get(name, [part])
    return steps


def _pattern(step: dict[str, Any]) -> str:
    """The expression of a step that has one."""
    pattern = step.get("pattern")
    return str(pattern.get("Regex", "")) if isinstance(pattern, dict) else ""


def _replace(pattern: str, content: str) -> dict[str, Any]:
    return {"type": "Replace", "pattern": {"Regex": pattern}, "content": content}


def _keeps_case(pipeline: Tokenizer) -> bool:
    return pipeline.normalizer is None or pipeline.normalizer.normalize_str("A") == "A"


def _alphabet(model: dict[str, Any]) -> set[str]:
    """Letters, marks and digits of ASCII, and those in a token that holds several characters or continues a word."""
    characters = set(string.ascii_letters + string.digits)
    for token in model["vocab"]:
        if len(token) > 1 and token != model["unk_token"]:
            characters.update(token.removeprefix(model["continuing_subword_prefix"]))
    return {character for character in characters if category(character)[0] in "LMN" and category(character) != "Lm"}


def _ranges(characters: Sequence[str]) -> Iterable[str]:
    """Members of a character class, neighbors as one range."""
    codes = [ord(character) for character in characters]
    starts = [codes[0], *(code for before, code in pairwise(codes) if code != before + 1)]
    ends = [*(before for before, code in pairwise(codes) if code != before + 1), codes[-1]]
    for start, end in zip(starts, ends, strict=True):
        yield rf"\x{{{start:X}}}-\x{{{end:X}}}"
