"""Emoji that carry a feeling, read as an English word of the same meaning.

Vocabularies of words and word pieces have none of them, so to the network they would all be the same unknown token.
Each is a single code point, so that a token's offsets are exactly its emoji's.
"""

import json
from collections.abc import Collection
from typing import Any

from tokenizers import Tokenizer

WORDS = {
    "happy": "😀😃😄😁😊🙂☺😺😸🤗",
    "hilarious": "😂🤣😆😹",
    "love": "😍🥰😘❤♥♡💕💖💗💘💙💚💛💜🖤🧡🩷💓💞💝😻🫶",
    "cool": "😎",
    "delicious": "😋🤤",
    "amazing": "🤩🔥✨🌟",
    "great": "👍💯👌💪",
    "bravo": "👏🙌",
    "celebrate": "🎉🎊🥳🍾",
    "champion": "🏆🥇",
    "relieved": "😌😅",
    "thanks": "🙏",
    "sad": "😢😞😔☹🙁😥😿😟😕",
    "crying": "😭",
    "heartbreak": "💔",
    "angry": "😠😡🤬😾👿",
    "disgusting": "🤢🤮",
    "garbage": "🗑💩",
    "bad": "👎",
    "annoyed": "😒🙄😤",
    "boring": "🥱😴",
    "tired": "😩😫",
    "horrified": "😱😨🙀",
    "disappointed": "😣😖🤦",
    "indifferent": "😐😑",
    "thinking": "🤔",
}
"""Word to its emoji. Those that can mean praise and scorn, such as the skull or the upside-down face, are not
among them."""


RATING_STARS = {"star": "★⭐", "*": "☆"}
"""How a rating drawn in stars is read: filled and empty ones differ, and each is a token, so they can be counted."""


def read_as_words(pipeline: Tokenizer) -> Tokenizer:
    """The same pipeline, in which such an emoji is its word; a token's offsets stay those of the emoji in the text."""
    parts = json.loads(pipeline.to_str())
    # One plain string each: a class of characters, as a regular expression, takes twice as long.
    replacements = {
        sign: {"type": "Replace", "pattern": {"String": sign}, "content": f" {word} "}
        for word, signs in (WORDS | RATING_STARS).items()
        for sign in signs
    }
    normalizer = parts["normalizer"] or {"normalizers": []}
    others = [step for step in normalizer.get("normalizers", [normalizer]) if not _replaces(step, replacements)]
    parts["normalizer"] = {"type": "Sequence", "normalizers": [*replacements.values(), *others]}
    return Tokenizer.from_str(json.dumps(parts, ensure_ascii=False))


def reads_emoji(pipeline: Tokenizer) -> bool:
    """Whether the pipeline reads emoji as words."""
    normalizer = json.loads(pipeline.to_str())["normalizer"] or {}
    return any(_replaces(step, set(WORDS["love"])) for step in normalizer.get("normalizers", []))


def _replaces(step: dict[str, Any], signs: Collection[str]) -> bool:
    return step["type"] == "Replace" and step["pattern"].get("String") in signs
