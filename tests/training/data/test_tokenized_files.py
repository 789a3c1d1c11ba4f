"""Files are read and tokenized row by row, once for all runs, and the cache never changes what comes out."""

import gzip
import json
import os
import subprocess
import sys
import weakref
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet
from tokenizers import Tokenizer

from tests.support.paths import SAMPLE
from training.data import tokenization, tokenized_files
from training.data.examples import DataError, Example
from training.data.module import SentimentData
from training.data.readers import read_examples

ROWS = [("a good film", "pos"), ("a bad film, very bad", "neg"), ("not good", "neg"), ("good, good!", "pos")] * 3


def csv(rows):
    return "text,label\n" + "".join(f'"{text}",{label}\n' for text, label in rows)


@pytest.fixture
def write(tmp_path):
    """Writes a CSV file of (text, label) rows."""

    def write(name, rows):
        path = tmp_path / name
        path.write_text(csv(rows))
        return path

    return write


@pytest.fixture
def files(write):
    return {"train": str(write("train.csv", ROWS)), "validation": str(write("validation.csv", ROWS[:3]))}


@pytest.fixture
def read_files(monkeypatch):
    """The name of every file whose rows have been read since."""
    names = []

    def noted(path, *arguments, **options):
        names.append(path.name)
        return read_examples(path, *arguments, **options)

    monkeypatch.setattr(tokenized_files, "read_examples", noted)
    return names


def prepare(files, **options):
    data = SentimentData(**files, **{"min_count": 1, **options})
    data.setup("fit")
    return data


def content(data, part="train"):
    """Everything the network will see of a part."""
    examples = data._examples[part]
    return (
        data.labels,
        data.tokenizer_json,
        examples.ids.tolist(),
        examples.offsets.tolist(),
        examples.lengths.tolist(),
        examples.labels.tolist(),
    )


def test_ids_and_labels_are_those_of_each_row(files):
    data = prepare(files)
    pipeline, examples = Tokenizer.from_str(data.tokenizer_json), data._examples["train"]
    assert data.labels == ["neg", "pos"]
    assert len(examples) == 12
    for row, (text, label) in enumerate(ROWS):
        ids = examples.ids[examples.offsets[row] : examples.offsets[row + 1]].tolist()
        assert ids == pipeline.encode(text).ids
        assert data.labels[examples.labels[row]] == label


@pytest.mark.parametrize("tokenizer", ["word", "subword"])
def test_the_cache_changes_nothing(files, tokenizer, own_cache):
    options = {"tokenizer": tokenizer, "max_words": 60}
    without = prepare(files, cache=False, **options)
    assert not own_cache.exists()
    first, second = prepare(files, **options), prepare(files, **options)
    for part in ("train", "validation"):
        assert content(without, part) == content(first, part) == content(second, part)


def write_json_lines(path):
    path.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in ROWS))


def write_parquet(path):
    texts, labels = zip(*ROWS, strict=True)
    parquet.write_table(pa.table({"text": texts, "label": labels}), path)


def write_zipped(path):
    path.write_bytes(gzip.compress(csv(ROWS).encode()))


def write_labeled_lines(path):
    path.write_text("".join(f"{label} {text}\n" for text, label in ROWS))


@pytest.mark.parametrize(
    ("name", "write_rows"),
    [
        ("train.jsonl", write_json_lines),
        ("train.parquet", write_parquet),
        ("train.csv.gz", write_zipped),
        ("train.txt", write_labeled_lines),
    ],
)
def test_every_format_gives_the_same_from_its_file_and_from_the_cache(files, tmp_path, name, write_rows):
    expected = content(prepare(files))
    write_rows(tmp_path / name)
    files["train"] = str(tmp_path / name)
    assert content(prepare(files)) == expected
    assert content(prepare(files)) == expected


def test_the_phrases_of_trees_are_kept_apart_from_their_sentences(tmp_path, files):
    path = tmp_path / "trees.txt"
    path.write_text("(4 (2 A) (4 (4 good) (2 film)))\n(1 (2 A) (1 (0 bad) (2 film)))\n")
    files = {"train": str(path), "validation": str(path)}
    for _ in range(2):
        phrases, roots = prepare(files, trees="phrases"), prepare(files, trees="root")
        assert len(phrases._examples["train"]) == 8  # both sentences, "good film", "bad film", A, good, bad, film
        assert len(phrases._examples["validation"]) == 2
        assert len(roots._examples["train"]) == 2


def test_a_second_run_reads_no_rows(files, read_files):
    prepare(files)
    assert read_files == ["train.csv", "train.csv", "validation.csv"]  # to learn the words, then to encode
    prepare(files)
    assert len(read_files) == 3


def test_a_pretrained_tokenizer_needs_the_rows_once(files, read_files, tmp_path):
    tokenization.word_pipeline(["good", "bad"]).save(str(tmp_path / "tokenizer.json"))
    data = prepare(files, tokenizer="pretrained", tokenizer_folder=str(tmp_path))
    assert read_files == ["train.csv", "validation.csv"]
    assert data._examples["train"].ids[:3].tolist() == [1, 2, 1]  # a: unknown, good, film: unknown


@pytest.mark.parametrize(
    "change",
    [
        {"min_count": 4},
        {"max_words": 3},
        {"tokenizer": "subword"},
        {"ptb_tokens": True},
        {"label_map": {"pos": "positive", "neg": "negative"}},
        {"on_bad_row": "skip"},
        {"format": "csv"},
        {"on_leak": "drop", "held_out_min_words": 2, "held_out": [str(SAMPLE / "test.csv")]},
    ],
    ids=str,
)
def test_an_option_that_may_change_the_rows_or_the_words_is_no_hit(files, read_files, change):
    prepare(files, max_words=60)
    del read_files[:]
    prepare(files, **{"max_words": 60, **change})
    assert read_files[-3:] == ["train.csv", "train.csv", "validation.csv"]


def test_texts_cut_elsewhere_are_encoded_again_with_the_words_at_hand(files, read_files):
    prepare(files)
    del read_files[:]
    assert prepare(files, max_tokens=2)._examples["train"].lengths.tolist() == [2] * 12
    assert read_files == ["train.csv", "validation.csv"]


def test_changed_content_is_no_hit(files, read_files, write):
    prepare(files)
    write("train.csv", [*ROWS, ("splendid", "pos")])
    del read_files[:]
    assert len(prepare(files)._examples["train"]) == 13
    assert read_files[:2] == ["train.csv", "train.csv"]


def test_changed_code_is_no_hit(files, read_files, monkeypatch):
    prepare(files)
    monkeypatch.setattr(tokenized_files, "_code_version", lambda: "another")
    prepare(files)
    assert len(read_files) == 6


def test_another_tokenizer_in_the_same_folder_is_no_hit(files, tmp_path):
    options = {"tokenizer": "pretrained", "tokenizer_folder": str(tmp_path)}
    tokenization.word_pipeline(["good", "bad"]).save(str(tmp_path / "tokenizer.json"))
    assert prepare(files, **options)._examples["train"].ids[1] == 2
    tokenization.word_pipeline(["bad", "good"]).save(str(tmp_path / "tokenizer.json"))
    assert prepare(files, **options)._examples["train"].ids[1] == 3


def test_the_order_of_labels_and_of_batches_is_no_matter_of_the_cache(files, read_files):
    expected = prepare(files)._examples["train"].labels
    data = prepare(files, labels_in_order=["pos", "neg"], batch_size=2, seed=3)
    assert len(read_files) == 3
    assert data._examples["train"].labels.tolist() == (1 - expected).tolist()


def test_a_file_that_was_moved_is_known_by_its_content(files, read_files, tmp_path):
    prepare(files)
    moved = tmp_path / "elsewhere.csv"
    Path(files["train"]).rename(moved)
    prepare({**files, "train": str(moved)})
    assert len(read_files) == 3


def test_bad_rows_are_counted_once_and_reported_alike_from_the_cache(files, write, read_files):
    rows = list(ROWS)
    rows[1:1] = [("  ", "pos")] * 7
    files["train"] = str(write("train.csv", rows))
    first, second = prepare(files, on_bad_row="skip"), prepare(files, on_bad_row="skip")
    assert len(read_files) == 3
    assert first.bad_rows.count == second.bad_rows.count == 7
    assert second.bad_rows.summary() == first.bad_rows.summary()
    assert second.bad_rows.summary().startswith("Left out 7 bad rows:\n  train.csv, line 3: the text is empty.\n")
    assert second.bad_rows.summary().endswith("\n  and 2 more")


def test_bad_rows_from_the_cache_name_the_file_as_it_is_called_now(files, write, tmp_path):
    files["train"] = str(write("train.csv", [*ROWS, ("", "pos")]))
    prepare(files, on_bad_row="skip")
    (tmp_path / "train.csv").rename(tmp_path / "new.csv")
    data = prepare({**files, "train": str(tmp_path / "new.csv")}, on_bad_row="skip")
    assert data.bad_rows.summary() == "Left out 1 bad row:\n  new.csv, line 14: the text is empty."


def test_a_bad_row_stops_every_time_and_what_was_left_out_before_does_not_count(files, write):
    files["train"] = str(write("train.csv", [*ROWS, ("", "pos")]))
    prepare(files, on_bad_row="skip")
    for _ in range(2):
        with pytest.raises(DataError, match=r"train\.csv, line 14: the text is empty"):
            prepare(files)


def test_a_label_the_training_file_lacks_is_bad_in_the_validation_file(files, write):
    files["validation"] = str(write("validation.csv", [*ROWS[:2], ("so so", "mixed")]))
    with pytest.raises(DataError, match=r'validation\.csv, line 4: the label "mixed" was not in the training data'):
        prepare(files)


def test_a_file_that_changes_while_it_is_read_is_refused_and_not_kept(files, write, monkeypatch):
    def growing(path, *arguments, **options):
        yield from read_examples(path, *arguments, **options)
        with path.open("a") as stream:
            stream.write("more,pos\n")

    with monkeypatch.context() as during:
        during.setattr(tokenized_files, "read_examples", growing)
        with pytest.raises(DataError, match="it changed while it was being read"):
            prepare(files)
    write("train.csv", ROWS)
    assert len(prepare(files)._examples["train"]) == 12


def test_texts_without_a_token_are_left_out(files, write):
    files["train"] = str(write("train.csv", [("\u200b", "pos"), *ROWS]))  # a space of no width: not blank, no word
    options = {"tokenizer": "subword", "max_words": 60}
    assert [len(prepare(files, **options)._examples["train"]) for _ in range(2)] == [12, 12]


def test_a_file_without_any_token_is_refused(files, write):
    files["validation"] = str(write("validation.csv", [("\u200b", "pos")] * 2))
    with pytest.raises(DataError, match=r"validation\.csv: no text in it has a token"):
        prepare(files, tokenizer="subword", max_words=60)


def test_a_file_that_is_missing_is_named(files):
    with pytest.raises(DataError, match=r"nowhere\.csv: there is no such file"):
        prepare({**files, "train": "nowhere.csv"})


class Text(str):  # a str that weak references can watch
    __slots__ = ("__weakref__",)


@pytest.mark.slow
@pytest.mark.parametrize("tokenizer", ["word", "subword"])
def test_only_a_chunk_of_texts_is_held_at_a_time(files, monkeypatch, tokenizer):
    alive, most = set(), 0

    def watched(path, *_, **__):
        nonlocal most
        for number in range(5 * tokenization.CHUNK_TEXTS):
            text = Text(f"{path.stem} row {number}")
            alive.add(number)
            weakref.finalize(text, alive.discard, number)
            most = max(most, len(alive))
            yield Example(text=text, label=str(number % 2), line=number)
            del text

    monkeypatch.setattr(tokenized_files, "read_examples", watched)
    data = prepare(files, tokenizer=tokenizer, max_words=100)
    assert len(data._examples["train"]) == 5 * tokenization.CHUNK_TEXTS
    assert most <= 2 * tokenization.CHUNK_TEXTS + 1


PREPARE = """
import sys
from training.data import tokenized_files
from training.data.module import SentimentData

read, files = tokenized_files.read_examples, []
tokenized_files.read_examples = lambda path, *more, **named: (files.append(path.name), read(path, *more, **named))[1]
print("ready", flush=True)
sys.stdin.readline()
data = SentimentData(sys.argv[1], sys.argv[2], min_count=1)
data.setup("fit")
print(len(files), data.labels, data._examples["train"].ids.tolist(), data._examples["validation"].labels.tolist())
"""


@pytest.mark.slow
def test_two_runs_that_start_together_read_once_and_train_on_the_same(files):
    command = [sys.executable, "-c", PREPARE, files["train"], files["validation"]]
    runs = [
        subprocess.Popen(  # noqa: S603 - our own program
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(os.environ)
        )
        for _ in range(2)
    ]
    for run in runs:
        assert run.stdout.readline() == "ready\n"
    for run in runs:
        run.stdin.write("\n")
        run.stdin.flush()
    outputs = [run.communicate(timeout=120)[0].split(maxsplit=1) for run in runs]
    assert [run.returncode for run in runs] == [0, 0]
    assert sum(int(count) for count, _ in outputs) == 3
    assert outputs[0][1] == outputs[1][1]
