"""Pretrained vectors and word counts through torchtext and safetensors. The only file that imports torchtext."""

import re
import ssl
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor
from torchtext.vocab import GloVe, Vectors, Vocab

from training.data.cache import cached, default_folder
from training.data.tokenization import PADDING, UNKNOWN
from training.network.validation import OptionError

GLOVE_NAME = re.compile(r"(?P<set>6B|42B|840B|twitter\.27B)\.(?P<size>\d+)d")


def frequent_words(counts: Counter[str], *, max_words: int, min_count: int) -> list[str]:
    """Words by falling frequency, ties in alphabetical order, without the two special entries."""
    # Those that occur too rarely are most of the different words, and Vocab would copy them twice.
    counts = Counter({word: count for word, count in counts.items() if count >= min_count})
    vocabulary = Vocab(counts, max_size=max_words or None, min_freq=min_count, specials=(PADDING, UNKNOWN))
    return [word for word in vocabulary.itos if word not in (PADDING, UNKNOWN)]


def vectors_for_words(source: str, words: Sequence[str], *, cache: Path | None = None) -> Tensor:
    """(words, size) vectors in the order given.

    A word that the source lacks gets a random vector with the mean and spread of the others.

    Args:
        source: a GloVe name such as ``6B.300d`` (downloaded once), or the path of a text file in GloVe's or fastText's
            format, gzipped or not.
        words: the whole vocabulary.
        cache: folder of torchtext's cache; with None files are not cached, and named sets are cached in its
            default folder.

    Raises:
        OptionError: no word of the vocabulary is in the source.
    """
    vectors = _load(source, cache)
    known = [word in vectors.stoi for word in words]
    if not any(known):
        message = f"{source}: none of the {len(words)} words has a vector there; is it the right language and case?"
        raise OptionError(message)
    known_vectors = vectors.vectors[
        [vectors.stoi[word] for word, is_known in zip(words, known, strict=True) if is_known]
    ]
    generator = torch.Generator().manual_seed(0)
    spread = known_vectors.std(dim=0, correction=0)
    table: Tensor = known_vectors.mean(dim=0) + spread * torch.randn(len(words), vectors.dim, generator=generator)
    table[torch.tensor(known)] = known_vectors
    return table


def token_embeddings(folder: Path) -> Tensor:
    """(vocabulary, size) input embeddings of a Hugging Face model folder.

    Raises:
        OptionError: there is no ``model.safetensors``.
        OptionError: it holds no ``word_embeddings.weight``.
    """
    path = folder / "model.safetensors"
    if not path.is_file():
        message = f"{path}: no such file; the embeddings are read from there"
        raise OptionError(message)
    with safe_open(path, framework="pt") as tensors:
        names = [name for name in tensors.keys() if name.endswith("word_embeddings.weight")]  # noqa: SIM118 - no dict
        if len(names) != 1:
            message = f"{path}: expected one tensor named *word_embeddings.weight, found {names}"
            raise OptionError(message)
        embeddings: Tensor = tensors.get_tensor(names[0]).float()
    return embeddings


def standardize(vectors: Tensor, *, size: int = 0) -> Tensor:
    """Centered vectors of unit variance over the whole table, so that any source suits a fresh network alike.

    With ``size`` they are first turned to their ``size`` strongest principal directions.
    """
    centered = vectors - vectors.mean(dim=0)
    if size and size < centered.shape[1]:
        _, directions = torch.linalg.eigh(centered.T @ centered)  # columns by rising variance
        centered = centered @ directions.flip(1)[:, :size]
    return centered / centered.std()


def _load(source: str, cache: Path | None) -> Vectors:
    path = Path(source)
    if path.is_file():
        return _load_file(path, cache)
    match = GLOVE_NAME.fullmatch(source)
    if match is None:
        message = f"{source}: no such vector file, and not the name of a GloVe set such as 6B.300d"
        raise OptionError(message)
    return _load_glove(match["set"], match["size"], cache or default_folder())


def _load_glove(name: str, size: str, cache: Path) -> Vectors:
    def through(folder: Path) -> Vectors:
        with _verified_downloads():
            return GloVe(name=name, dim=size, cache=str(folder))

    def download(folder: Path) -> None:
        through(folder)
        for path in folder.iterdir():
            if path.suffix != ".pt":  # gigabytes of archive and text; torchtext's own copy is all it reads again
                path.unlink()

    return cached(cache, kind="glove", fingerprint={"set": name, "size": size}, build=download, load=through)


def _load_file(path: Path, cache: Path | None) -> Vectors:
    def through(folder: Path) -> Vectors:
        with _verified_downloads():
            return Vectors(str(path), cache=str(folder))  # reads torchtext's own copy in the folder once there is one

    # torchtext names its copy only by the file's name, so each version of a file gets its own folder.
    state = path.stat()
    version = {"path": str(path.resolve()), "size": state.st_size, "modified": state.st_mtime_ns}
    return cached(cache, kind="vectors", fingerprint=version, build=through, load=through)


@contextmanager
def _verified_downloads() -> Iterator[None]:
    """Undo torchtext 0.6's switching-off of TLS verification, which would last for the whole process."""
    unverified, default = ssl._create_unverified_context, ssl._create_default_https_context  # noqa: SLF001
    ssl._create_unverified_context = ssl.create_default_context  # type: ignore[assignment]  # noqa: SLF001
    try:
        yield
    finally:
        ssl._create_unverified_context, ssl._create_default_https_context = unverified, default  # noqa: SLF001
