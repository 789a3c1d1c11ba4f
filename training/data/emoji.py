"""Emoji that carry a feeling, read as the English word a person would say in their place.

Vocabularies of words and word pieces have none of them, so to the network they would all be the same unknown token.
Each stands alone and is one code point, so that a token's offsets are exactly its emoji's.
"""

from tokenizers import Tokenizer, normalizers

WORDS = {
    "happy": "😀😃😄😁😊🙂☺😺😸🤗",
    "hilarious": "😂🤣😆😹",
    "love": "😍🥰😘❤💕💖💗💘💙💚💛💜🖤🧡💓💞💝😻🫶",
    "cool": "😎",
    "delicious": "😋🤤",
    "amazing": "🤩🔥✨🌟⭐",
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
"""Word to its emoji. Those that stand for praise and scorn alike, such as the skull or the upside-down face, are not
among them."""


def read_as_words(pipeline: Tokenizer) -> Tokenizer:
    """The same pipeline, in which such an emoji is its word; a token's offsets stay those of the emoji in the text."""
    changed = Tokenizer.from_str(pipeline.to_str())
    # One plain string each: a class of characters, as a regular expression, takes twice as long.
    replaced = [normalizers.Replace(sign, f" {word} ") for word, signs in WORDS.items() for sign in signs]
    changed.normalizer = normalizers.Sequence([*replaced, *([pipeline.normalizer] if pipeline.normalizer else [])])
    return changed
