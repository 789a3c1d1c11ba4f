"""Builds the one ``tokenizers`` pipeline that training and serving share: ids and character offsets from any text."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

from training.data import emoji
from training.data.text_normalization import FOLDS, normalize_text
from training.network.validation import OptionError

UNKNOWN = "[UNK]"
PADDING = "[PAD]"

CHUNK_TEXTS = 4096
CHUNK_CHARACTERS = 1_000_000
"""Texts encoded together: enough for all cores, few enough that long texts need little memory."""

SYMBOL = Regex(r"[\p{S}\p{Lm}]")
"""A sign that is never part of a word of a learned vocabulary."""

APOSTROPHE = "['\u2019]"  # typed, and as typesetting has it

WORD = Regex(
    rf"\p{{L}}[\p{{L}}\p{{M}}]*?(?=n{APOSTROPHE}t\b)"  # the "ca" of "can't": negation stays a word of its own
    rf"|n{APOSTROPHE}t\b"
    rf"|{APOSTROPHE}(?:s|m|d|ll|re|ve)\b"
    r"|[\p{L}\p{M}\p{N}_]+"
    r"|[^\s\p{L}\p{M}\p{N}_]"  # punctuation and symbols one by one
)
"""Words as the Penn Treebank cuts them, so that pretrained word vectors fit, in a form that keeps offsets."""


def count_words(texts: Iterable[str]) -> Counter[str]:
    """Frequency of each word of the texts, in the form that the word pipeline sees."""
    normalizer, splitter = _word_normalizer(), _word_splitter()
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(word for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(text)))
    return counts


def word_pipeline(words: Sequence[str]) -> Tokenizer:
    """A pipeline over whole words; a word outside the list is unknown."""
    vocabulary = {word: index for index, word in enumerate([PADDING, UNKNOWN, *words])}
    pipeline = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    pipeline.normalizer = _word_normalizer()
    pipeline.pre_tokenizer = _word_splitter()
    return pipeline


def subword_pipeline(texts: Iterable[str], *, size: int) -> Tokenizer:
    """A WordPiece pipeline learned from the texts in two passes; the same texts always give the same pipeline."""
    pipeline = Tokenizer(models.WordPiece(unk_token=UNKNOWN))
    pipeline.normalizer = normalizers.Sequence([*_folds(), normalizers.BertNormalizer(lowercase=True)])
    pipeline.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.BertPreTokenizer(), pre_tokenizers.Split(SYMBOL, "isolated")]
    )
    # The trainer numbers what continues a word in the order of a hash table, which no two runs share, and breaks ties
    # by those numbers. Special tokens are numbered first and as listed; ``plain`` makes them ordinary again.
    continuations = [f"##{character}" for character in sorted(_continuing_characters(pipeline, texts))]
    trainer = trainers.WordPieceTrainer(
        vocab_size=size, special_tokens=[PADDING, UNKNOWN, *continuations], show_progress=False
    )
    pipeline.train_from_iterator(iter(texts), trainer)
    pipeline.pre_tokenizer = pre_tokenizers.BertPreTokenizer()  # normalize_text splits symbols by the vocabulary
    return normalize_text(plain(pipeline))


def pretrained_pipeline(folder: Path) -> Tokenizer:
    """The pipeline of a Hugging Face model folder (its ``tokenizer.json``), made to read noisy text.

    Raises:
        OptionError: the folder has no ``tokenizer.json``.
        OptionError: its model has no unknown token, so some texts could not be read.
    """
    path = folder / "tokenizer.json"
    if not path.is_file():
        message = f"{path}: no such file; name a folder that holds a tokenizer.json and a model.safetensors"
        raise OptionError(message)
    pipeline = plain(Tokenizer.from_file(str(path)))
    if unknown_token(pipeline) is None:
        message = f"{path}: its model has no unknown token; use a WordPiece or WordLevel tokenizer"
        raise OptionError(message)
    return normalize_text(pipeline)


def upgrade(pipeline: Tokenizer) -> Tokenizer:
    """A pipeline built by an earlier release as this release builds it; vocabulary and ids stay as they are.

    Idempotent. A pipeline of whole words is returned unchanged.
    """
    if isinstance(pipeline.model, models.WordLevel):
        return pipeline
    normalized = normalize_text(pipeline)
    return emoji.read_as_words(normalized) if emoji.reads_emoji(normalized) else normalized


def plain(pipeline: Tokenizer) -> Tokenizer:
    """The same pipeline without special tokens, padding and truncation.

    Added tokens are matched in the raw text, so a person who types "[SEP]" would be read as one; ids stay as they are.
    """
    parts = json.loads(pipeline.to_str())
    parts.update(added_tokens=[], post_processor=None, truncation=None, padding=None)
    return Tokenizer.from_str(json.dumps(parts, ensure_ascii=False))


def unknown_token(pipeline: Tokenizer) -> str | None:
    """The token for words that the vocabulary lacks."""
    return getattr(pipeline.model, "unk_token", None)


def encode_all(
    pipeline: Tokenizer, texts: Iterable[str], *, max_tokens: int, chunk: int = CHUNK_TEXTS
) -> Iterator[list[int]]:
    """Token ids of every text, cut at ``max_tokens``, in order; no more than ``chunk`` texts are held at a time."""
    for batch in chunks(texts, chunk):
        for encoding in pipeline.encode_batch_fast(batch, add_special_tokens=False):
            yield encoding.ids[:max_tokens]


def chunks(texts: Iterable[str], max_texts: int = CHUNK_TEXTS) -> Iterator[list[str]]:
    """The texts in lists of at most ``max_texts``, and of fewer if they are long, to be tokenized together."""
    batch: list[str] = []
    characters = 0
    for text in texts:
        batch.append(text)
        characters += len(text)
        if len(batch) == max_texts or characters >= CHUNK_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def _folds() -> list[normalizers.Normalizer]:
    return [normalizers.Replace(Regex(pattern), content) for pattern, content in FOLDS]


def _continuing_characters(pipeline: Tokenizer, texts: Iterable[str]) -> set[str]:
    """Those that occur in a word, but not at its start."""
    characters: set[str] = set()
    for text in texts:
        words = pipeline.pre_tokenizer.pre_tokenize_str(pipeline.normalizer.normalize_str(text))
        characters.update(*(word[1:] for word, _ in words))
    return characters


def _word_normalizer() -> normalizers.Normalizer:
    return normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])


def _word_splitter() -> pre_tokenizers.PreTokenizer:
    # Matches are the words; what lies between them (white space, controls) is removed.
    return pre_tokenizers.Split(WORD, behavior="removed", invert=True)
