"""What the words of the training file, or a pretrained model's folder, give the network: a pipeline and vectors."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from tokenizers import Tokenizer
from torch import Tensor

from training.data import emoji, tokenization, vectors

TokenizerName = Literal["word", "subword", "pretrained"]


def build_pipeline(
    texts: Iterable[str],
    *,
    tokenizer: TokenizerName,
    folder: str | None,
    max_words: int,
    min_count: int,
    emoji_words: bool = False,
) -> Tokenizer:
    """The pipeline that ``SentimentData``'s options ask for; only ``pretrained`` does not look at the texts.

    Texts are taken as they come: memory grows with the different words, not with the texts.

    Raises:
        ValueError: emoji are to be words of a vocabulary that is learnt from texts, where those words may not stand.
    """
    if tokenizer == "pretrained":
        pipeline = tokenization.pretrained_pipeline(_required(folder))
        return emoji.read_as_words(pipeline) if emoji_words else pipeline
    if emoji_words:
        message = f"emoji_words needs the words of a pretrained vocabulary: pass tokenizer pretrained, not {tokenizer}"
        raise ValueError(message)
    if tokenizer == "subword":
        return tokenization.subword_pipeline(texts, size=max_words)
    counts = tokenization.count_words(texts)
    return tokenization.word_pipeline(vectors.frequent_words(counts, max_words=max_words, min_count=min_count))


def starting_vectors(
    pipeline: Tokenizer,
    *,
    tokenizer: TokenizerName,
    folder: str | None,
    word_vectors: str | None,
    size: int,
    cache_folder: Path | None,
) -> Tensor | None:
    """(vocabulary, size) starting values of the embedding, or None where it starts at random.

    Raises:
        ValueError: word vectors were asked for with a tokenizer whose tokens are not words.
    """
    if tokenizer == "pretrained":
        return vectors.standardize(vectors.token_embeddings(_required(folder)), size=size)
    if word_vectors is None:
        return None
    if tokenizer != "word":
        message = f"word_vectors fit the tokenizer word, not {tokenizer}; leave one of the two out"
        raise ValueError(message)
    vocabulary = pipeline.get_vocab()
    words = sorted(vocabulary, key=vocabulary.__getitem__)
    return vectors.standardize(vectors.vectors_for_words(word_vectors, words, cache=cache_folder), size=size)


def _required(folder: str | None) -> Path:
    if folder is None:
        message = "tokenizer pretrained needs --data.tokenizer_folder with a tokenizer.json and a model.safetensors"
        raise ValueError(message)
    return Path(folder)
