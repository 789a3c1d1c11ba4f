"""tokenizer.json, checked before the ``tokenizers`` package runs it, because a bundle may come from a stranger.

A pipeline is data, but data that can ask for any amount of time and memory. Only steps whose work grows with the text
alone are let through, and whatever ``tokenizers`` raises is an error that names the file.
"""

import hashlib
import json
import re
import string
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from tokenizers import Tokenizer, normalizers

from model_store.errors import BundleError

ABSENT = ("truncation", "padding", "post_processor", "added_tokens")
"""Parts that a bundle does not need: the contract has no special tokens, and a padding can ask for billions."""

STEPS = {
    "normalizer": (
        "BertNormalizer", "Lowercase", "NFC", "NFD", "NFKC", "NFKD", "Nmt", "Precompiled", "Replace", "Strip",
        "StripAccents",
    ),
    "pre_tokenizer": (
        "BertPreTokenizer", "ByteLevel", "CharDelimiterSplit", "Digits", "Metaspace", "Punctuation", "Split",
        "UnicodeScripts", "Whitespace", "WhitespaceSplit",
    ),
}  # fmt: skip
"""Types of steps, each with a cost that is proportional to the text, except for their patterns."""

MODELS = ("BPE", "Unigram", "WordLevel", "WordPiece")

MAX_STEPS = 500
"""Maximum number of steps of each kind; the shipped pipeline has 113, most of which replace one emoji each."""

MAX_CHARACTERS = 64
"""Maximum length of what a step puts in the place of others, and of a model's prefixes and names."""

MAX_WORD = 200
"""Maximum of ``max_input_chars_per_word``: WordPiece takes time that grows with its square."""

MAX_GROWTH = 16
"""How many times as long the steps together may make a text of what they look for and of what they replace it by."""

REPEATED_GROUP = re.compile(r"\\g<|\\.|(\)(?:\s|#.*\n)*(?:[*+]|\{\d))")
r"""A group with a quantifier, or a call of a group (``\g<1>``): the time of a search may double with each character.

Other slow patterns, such as thirty optional letters in a row, end in an error: the engine gives up after ten million
steps.
"""

_loaded: WeakValueDictionary[bytes, Tokenizer] = WeakValueDictionary()
"""The pipelines in use, by the SHA-256 of their files."""


def load_tokenizer(path: Path, content: bytes) -> Tokenizer:
    """The pipeline in a file, shared by all models of this process that have the same one, as those of one origin have.

    Nobody may change it. Loading one takes 75 ms, and for half of that time every thread of the process waits.

    Raises:
        BundleError: the content is not a pipeline, or has parts that no bundle of this project has.
    """
    sha256 = hashlib.sha256(content).digest()
    pipeline = _loaded.get(sha256)
    if pipeline is None:
        pipeline = _loaded[sha256] = _load(path, content)
    return pipeline


def _load(path: Path, content: bytes) -> Tokenizer:
    try:
        parts = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BundleError(path, f"is not valid JSON ({error})") from None
    if not isinstance(parts, dict) or not isinstance(parts.get("model"), dict):
        raise BundleError(path, "is not a pipeline of the tokenizers package: it has no model")
    for name in ABSENT:
        if parts.get(name):
            raise BundleError(path, f"has a part {name!r}, which no bundle of this project has; export it again")
    _check_model(path, parts["model"])
    steps = {kind: list(_checked_steps(path, kind, parts.get(kind))) for kind in STEPS}
    # What was checked is what is loaded, however another reader would understand the file.
    with errors_of_tokenizers(path, "cannot be loaded by the tokenizers package"):
        pipeline = Tokenizer.from_str(json.dumps(parts))
    _check_growth(path, pipeline, steps["normalizer"])
    return pipeline


@contextmanager
def errors_of_tokenizers(path: Path, problem: str, *, shown: bool = True) -> Iterator[None]:
    """Turn whatever ``tokenizers`` raises into a ``BundleError`` with this problem.

    A panic of its Rust code is a ``BaseException`` that ``except Exception`` lets through.

    Args:
        path: the file to name.
        problem: what went wrong.
        shown: whether the message may be shown; it may hold a piece of a text.
    """
    try:
        yield
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise  # a stop signal
        raise BundleError(path, f"{problem} ({error if shown else type(error).__name__})") from None


def _check_model(path: Path, model: dict[str, Any]) -> None:
    if model.get("type") not in MODELS:
        raise BundleError(path, f"has a model of type {str(model.get('type'))!r}; expected {_listed(MODELS)}")
    limit = model.get("max_input_chars_per_word", 0)
    if not isinstance(limit, int) or limit > MAX_WORD:
        raise BundleError(path, f"has max_input_chars_per_word {limit}; expected at most {MAX_WORD}")
    for name, value in model.items():
        if isinstance(value, str) and len(value) > MAX_CHARACTERS:
            raise BundleError(path, f"has a {name} of more than {MAX_CHARACTERS} characters")


def _checked_steps(path: Path, kind: str, part: object) -> Iterator[dict[str, Any]]:
    """The steps of a normalizer or pre-tokenizer, each of a type that is let through."""
    if part is None:
        return
    steps: Any = [part]
    if isinstance(part, dict) and part.get("type") == "Sequence":
        steps = part.get("normalizers" if kind == "normalizer" else "pretokenizers")
    if not isinstance(steps, list) or len(steps) > MAX_STEPS:
        raise BundleError(path, f"needs a list of at most {MAX_STEPS} steps as its {kind}")
    for index, step in enumerate(steps):
        place = f"step {index} of its {kind}"
        if not isinstance(step, dict) or step.get("type") not in STEPS[kind]:
            name = step.get("type") if isinstance(step, dict) else step
            raise BundleError(path, f"{place} is {str(name)[:40]!r}; expected {_listed(STEPS[kind])}")
        if len(str(step.get("content", ""))) > MAX_CHARACTERS:
            raise BundleError(path, f"{place} puts in more than {MAX_CHARACTERS} characters")
        pattern = step.get("pattern")
        if isinstance(pattern, dict) and _may_explode(str(pattern.get("Regex", ""))):
            raise BundleError(
                path, f"{place} has a pattern with a repeated group, which can take any amount of time on some texts"
            )
        yield step


def _may_explode(pattern: str) -> bool:
    return any(match[0] == r"\g<" or match[1] for match in REPEATED_GROUP.finditer(pattern))


def _check_growth(path: Path, pipeline: Tokenizer, steps: Sequence[dict[str, Any]]) -> None:
    """Refuse steps that lengthen what other steps put in: seven that make ten letters of one make ten million.

    The text starts as printable ASCII and what the steps look for. After each step it gets what that step puts in.
    """
    looked_for = [step["pattern"].get("String", "") for step in steps if isinstance(step.get("pattern"), dict)]
    put_in = [str(step.get("content", "")) for step in steps]
    text = "\n".join([string.printable, *map(str, looked_for)])
    limit = MAX_GROWTH * len("\n".join([text, *put_in]))
    for normalizer, content in zip(_normalizers(pipeline), put_in, strict=True):
        with errors_of_tokenizers(path, "has a step that fails"):
            text = normalizer.normalize_str(text)
        if len(text) > limit:
            raise BundleError(path, "has steps that lengthen what other steps put in, so a short text becomes huge")
        text += f"\n{content}"


def _normalizers(pipeline: Tokenizer) -> list[Any]:
    whole = pipeline.normalizer
    if whole is None:
        return []
    return [whole[index] for index in range(len(whole))] if isinstance(whole, normalizers.Sequence) else [whole]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
