"""The tokenizer and the starting vectors, from the training file's words or from a pretrained model's folder."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from tokenizers import Tokenizer
from torch import Tensor

from model_store import bundle as bundles
from training.data import emoji, tokenization, vectors
from training.network.validation import OptionError, check_choice, check_int

TokenizerName = Literal["word", "subword", "pretrained", "bundle"]


@dataclass(frozen=True, kw_only=True)
class TokenizerOptions:
    """Options of tokenization, and of the initial vectors.

    Args:
        tokenizer: word (a vocabulary from the training file), subword (WordPiece learned from it), pretrained, or
            bundle (that of a bundle, to start from its weights).
        tokenizer_folder: for pretrained: a Hugging Face model folder with tokenizer.json and model.safetensors, whose
            input embeddings are used too; for bundle: a bundle's folder, or default.
        max_words: size of a word vocabulary, or of a learned sub-word one; 0 for no limit (word only).
        min_count: how often a word must occur to be in a word vocabulary.
        word_vectors: pretrained vectors for a word vocabulary: a file in GloVe's format, or a name such as 6B.300d.
        vector_size: keep this many principal directions of pretrained vectors; 0 keeps all.
        emoji_words: for pretrained: read emoji that carry a feeling as English words; see ``training/data/emoji.py``.
        max_tokens: longer texts are cut at the end.
    """

    tokenizer: TokenizerName = "word"
    tokenizer_folder: str | None = None
    max_words: int = 30_000
    min_count: int = 2
    word_vectors: str | None = None
    vector_size: int = 0
    emoji_words: bool = False
    max_tokens: int = 512

    def check(self) -> None:
        """Refuse values that cannot be used.

        Raises:
            OptionError: a number is out of its range, or options do not fit together.
        """
        check_choice("tokenizer", self.tokenizer, choices=get_args(TokenizerName))
        check_int("max_words", self.max_words, minimum=0)
        check_int("min_count", self.min_count, minimum=0)
        check_int("vector_size", self.vector_size, minimum=0)
        check_int("max_tokens", self.max_tokens, minimum=1)
        if self.emoji_words and self.tokenizer != "pretrained":
            message = (
                "emoji_words needs the words of a pretrained vocabulary: pass tokenizer pretrained, not "
                f"{self.tokenizer}"
            )
            raise OptionError(message)
        if self.word_vectors is not None and self.tokenizer != "word":
            message = f"word_vectors fit the tokenizer word, not {self.tokenizer}; leave one of the two out"
            raise OptionError(message)
        if self.tokenizer in {"pretrained", "bundle"}:
            self.folder()

    def folder(self) -> Path:
        """The folder of a tokenizer that is not learned.

        Raises:
            OptionError: none was named.
        """
        if self.tokenizer_folder is None:
            holds = {
                "pretrained": "with a tokenizer.json and a model.safetensors",
                "bundle": "of a bundle, or default",
            }[self.tokenizer]
            message = f"tokenizer {self.tokenizer} needs --data.tokenizer_folder {holds}"
            raise OptionError(message)
        return Path(self.tokenizer_folder)


def fixed_tokenizer(options: TokenizerOptions) -> str | None:
    """The pipeline as JSON if it does not depend on the training texts; None if it is learned from them.

    Raises:
        BundleError: the bundle cannot be used.
        OptionError: the folder cannot be used.
    """
    if options.tokenizer == "bundle":
        return bundles.read(bundles.resolve(options.folder())).tokenizer.decode()
    if options.tokenizer == "pretrained":
        pipeline = tokenization.pretrained_pipeline(options.folder())
        return (emoji.read_as_words(pipeline) if options.emoji_words else pipeline).to_str()
    return None


def build_pipeline(texts: Iterable[str], options: TokenizerOptions) -> Tokenizer:
    """The pipeline, word or subword, that is learned from the texts.

    Texts are taken as they come: memory grows with the different words, not with the texts.
    """
    if options.tokenizer == "subword":
        return tokenization.subword_pipeline(texts, size=options.max_words)
    counts = tokenization.count_words(texts)
    words = vectors.frequent_words(counts, max_words=options.max_words, min_count=options.min_count)
    return tokenization.word_pipeline(words)


def starting_vectors(pipeline: Tokenizer, options: TokenizerOptions, *, cache_folder: Path | None) -> Tensor | None:
    """(vocabulary, size) starting values of the embedding, or None if it starts at random."""
    size = options.vector_size
    if options.tokenizer == "pretrained":
        return vectors.standardize(vectors.token_embeddings(options.folder()), size=size)
    if options.word_vectors is None:
        return None
    vocabulary = pipeline.get_vocab()
    words = sorted(vocabulary, key=vocabulary.__getitem__)
    return vectors.standardize(vectors.vectors_for_words(options.word_vectors, words, cache=cache_folder), size=size)
