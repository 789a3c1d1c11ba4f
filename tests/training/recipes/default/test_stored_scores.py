"""The teacher's scores as they come with the source."""

import math

import numpy as np
from pyarrow import parquet

from training.distillation.texts import Text
from training.recipes.default.stored_scores import CODES, FOLDER, LOWEST, decode, encode, read_index, restore, store

TEXTS = [Text("fine", "positive"), Text("so so", None, group=1), Text("sew sew", None, group=1)]
SCORES = np.log(np.array([[0.001, 0.999], [0.4, 0.6], [0.4, 0.6]], dtype=np.float32))


def test_a_score_is_off_by_at_most_half_a_step():
    scores = np.linspace(math.log(1e-3), 0, 999, dtype=np.float32).reshape(-1, 3)
    assert np.abs(decode(encode(scores), labels=3) - scores).max() <= -LOWEST / CODES / 2 + 1e-6


def test_scores_are_restored_for_exactly_their_texts(tmp_path):
    store(TEXTS, SCORES, ["negative", "positive"], teacher="A teacher", name="some", folder=tmp_path)
    assert restore(TEXTS, name="some", to=tmp_path / "made" / "some.parquet", folder=tmp_path)
    table = parquet.read_table(tmp_path / "made" / "some.parquet")
    assert table.column("text").to_pylist() == ["fine", "so so", "sew sew"]
    assert table.column("label").to_pylist() == ["positive", None, None]
    np.testing.assert_allclose(table.column("teacher: positive").to_numpy(), SCORES[:, 1], atol=0.015)
    assert b"A teacher; scores stored in 8 bits" in table.schema.metadata[b"distillation"]


def test_other_texts_are_not_given_these_scores(tmp_path):
    store(TEXTS, SCORES, ["negative", "positive"], teacher="A teacher", name="some", folder=tmp_path)
    assert not restore(TEXTS[::-1], name="some", to=tmp_path / "x.parquet", folder=tmp_path)
    assert not restore(TEXTS, name="other", to=tmp_path / "x.parquet", folder=tmp_path)
    assert not (tmp_path / "x.parquet").exists()


def test_every_stored_file_is_in_the_index_and_has_its_labels():
    index = read_index(FOLDER)
    assert {path.name.removesuffix(".u8.xz") for path in FOLDER.glob("*.xz")} == set(index)
    for name, entry in index.items():
        scores = decode((FOLDER / f"{name}.u8.xz").read_bytes(), labels=len(entry["labels"]))
        np.testing.assert_allclose(np.exp(scores).sum(axis=1), 1, atol=0.06)
