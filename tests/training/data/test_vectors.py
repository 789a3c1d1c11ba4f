"""Pretrained vectors land on the right rows, and torchtext's habits stay contained."""

import gzip
import ssl
import zipfile
from collections import Counter

import pytest
import torch
from safetensors.torch import save_file
from torch.testing import assert_close

from training.data import vectors
from training.network.validation import OptionError


@pytest.fixture
def glove(tmp_path):
    path = tmp_path / "small.txt"
    path.write_text("film 1.0 2.0 0.0\ngood 3.0 -4.0 1.0\nthe 0.5 0.5 0.5\n")
    return path


def test_words_come_by_frequency_then_alphabet():
    counts = Counter({"b": 2, "a": 2, "c": 5, "once": 1})
    assert vectors.frequent_words(counts, max_words=0, min_count=2) == ["c", "a", "b"]
    assert vectors.frequent_words(counts, max_words=2, min_count=1) == ["c", "a"]


def test_each_word_gets_its_own_vector(glove, tmp_path):
    table = vectors.vectors_for_words(str(glove), ["good", "unheard", "film"], cache=tmp_path / "cache")
    assert table[0].tolist() == [3.0, -4.0, 1.0]
    assert table[2].tolist() == [1.0, 2.0, 0.0]
    assert table.shape == (3, 3)
    assert table.isfinite().all()


def test_gzipped_files_are_read(glove, tmp_path):
    packed = tmp_path / "small.txt.gz"
    packed.write_bytes(gzip.compress(glove.read_bytes()))
    table = vectors.vectors_for_words(str(packed), ["good"], cache=tmp_path / "cache")
    assert table.tolist() == [[3.0, -4.0, 1.0]]


def test_a_changed_file_of_the_same_name_is_read_again(glove, tmp_path):
    vectors.vectors_for_words(str(glove), ["film"], cache=tmp_path / "cache")
    glove.write_text("film 7.0 7.0 7.0\n")
    assert vectors.vectors_for_words(str(glove), ["film"], cache=tmp_path / "cache").tolist() == [[7.0, 7.0, 7.0]]


def test_a_damaged_copy_of_a_file_is_made_again(glove, tmp_path):
    expected = vectors.vectors_for_words(str(glove), ["film"], cache=tmp_path / "cache")
    (copy,) = (tmp_path / "cache").glob("*/*.pt")
    copy.write_bytes(copy.read_bytes()[:-100])
    assert torch.equal(vectors.vectors_for_words(str(glove), ["film"], cache=tmp_path / "cache"), expected)


def test_without_a_cache_nothing_of_a_file_is_kept(glove, own_cache):
    assert vectors.vectors_for_words(str(glove), ["film"]).tolist() == [[1.0, 2.0, 0.0]]
    assert not own_cache.exists()


def test_tls_verification_survives_torchtext(glove, tmp_path):
    before = ssl._create_default_https_context
    vectors.vectors_for_words(str(glove), ["film"], cache=tmp_path / "cache")
    assert ssl._create_default_https_context is before
    assert ssl._create_default_https_context().verify_mode is ssl.CERT_REQUIRED


def test_vectors_of_another_language_are_refused(glove, tmp_path):
    with pytest.raises(ValueError, match="none of the 1 words has a vector there"):
        vectors.vectors_for_words(str(glove), ["фильм"], cache=tmp_path / "cache")


def test_a_named_set_is_downloaded_once_and_only_its_vectors_are_kept(tmp_path, monkeypatch):
    archive = tmp_path / "glove.6B.zip"
    with zipfile.ZipFile(archive, "w") as files:
        files.writestr("glove.6B.3d.txt", "film 1.0 2.0 0.0\ngood 3.0 4.0 5.0\n")
    monkeypatch.setattr(vectors.GloVe, "url", {"6B": archive.as_uri()})
    cache = tmp_path / "cache"
    assert vectors.vectors_for_words("6B.3d", ["good"], cache=cache).tolist() == [[3, 4, 5]]
    archive.unlink()
    assert vectors.vectors_for_words("6B.3d", ["good"], cache=cache).tolist() == [[3, 4, 5]]
    assert not [path for path in cache.rglob("*") if path.suffix in {".zip", ".txt"}]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(OptionError, match=r"nope\.txt: no such vector file"):
        vectors.vectors_for_words("nope.txt", ["film"], cache=tmp_path)


def test_token_embeddings_are_found_by_name(tmp_path):
    table = torch.randn(5, 3)
    save_file({"embeddings.word_embeddings.weight": table, "other": torch.ones(2)}, tmp_path / "model.safetensors")
    assert_close(vectors.token_embeddings(tmp_path), table)


def test_standardised_vectors_are_centred_with_unit_variance():
    table = vectors.standardize(5 + 3 * torch.randn(400, 8))
    assert_close(table.mean(dim=0), torch.zeros(8), atol=1e-5, rtol=0)
    assert float(table.std()) == pytest.approx(1)


def test_fewer_directions_keep_the_strongest():
    strong = torch.tensor([10.0, 0.1, 5.0])
    table = vectors.standardize(torch.randn(2000, 3, generator=torch.Generator().manual_seed(0)) * strong, size=2)
    # Ordered by variance: 10 and 5 remain, 0.1 goes; their ratio survives the scaling.
    assert float(table[:, 0].std() / table[:, 1].std()) == pytest.approx(2, rel=0.1)
