"""What a model is measured on is kept out of what it learns from, and the first such text is named with both places."""

import gzip
import json
import pickle

import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.support.fit_program import run
from training.data.examples import DataError, Example
from training.data.leakage import LeakageFilter, Location, drop_leaking_texts, drop_leaks, skipped_leaks
from training.data.module import SentimentData
from training.data.readers import ReadingOptions, read_examples
from training.data.text_fingerprint import count_words

ROWS = [
    ("the soup was cold and gray", "neg"),
    ("a warm and funny evening", "pos"),
    ("not good", "neg"),
    ("good, good!", "pos"),
] * 2


def csv(rows):
    return "text,label\n" + "".join(f'"{text}",{label}\n' for text, label in rows)


@pytest.fixture
def files(tmp_path):
    (tmp_path / "train.csv").write_text(csv(ROWS), encoding="utf-8")
    (tmp_path / "validation.csv").write_text(csv([("well, well", "neg"), ("good", "pos")]), encoding="utf-8")
    return {"train": str(tmp_path / "train.csv"), "validation": str(tmp_path / "validation.csv"), "min_count": 1}


@pytest.fixture
def measured_on(tmp_path):
    path = tmp_path / "test.txt"
    path.write_text("1 Something else .\n0 A WARM -- and funny evening ...\n0 not good\n", encoding="utf-8")
    return path


def prepare(files, **options):
    data = SentimentData(**files, **options)
    data.setup("fit")
    return data


def test_training_stops_and_names_both_places_and_the_way_out(files, measured_on):
    with pytest.raises(DataError) as caught:
        prepare(files, held_out=[str(measured_on)])
    assert str(caught.value) == (
        f'train.csv, line 3: the text "a warm and funny evening" is held out: it is in {measured_on}, line 2.\n'
        "A model that has seen it cannot be measured there. Pass --data.on_leak=drop to leave such texts out and\n"
        "count them, or take that file out of --data.held_out."
    )


def test_rows_of_parquet_are_called_rows_on_both_sides(tmp_path):
    held_out, scores = tmp_path / "test.parquet", tmp_path / "scores.pq"
    parquet.write_table(pa.table({"text": ["a warm and funny evening"]}), held_out)
    parquet.write_table(pa.table({"text": ["one", "A warm and funny evening!"], "label": ["pos", "neg"]}), scores)
    with pytest.raises(DataError, match=r"scores\.pq, row 2: .* is in .*test\.parquet, row 1\."):
        prepare({"train": str(scores), "validation": str(scores)}, held_out=[str(held_out)], format="parquet")


def test_going_on_with_other_texts_held_out_is_refused(files, measured_on):
    before = prepare(files, held_out=[str(measured_on)], on_leak="drop").state_dict()
    prepare(files, held_out=[str(measured_on)], on_leak="drop").load_state_dict(before)
    with pytest.raises(DataError, match=r"train\.csv: 8 of its texts are used now, and 6 were when this checkpoint"):
        prepare(files).load_state_dict(before)


def test_dropped_texts_are_counted_and_neither_learnt_nor_in_the_vocabulary(files, measured_on):
    for _ in range(2):  # read, then from the cache
        data = prepare(files, held_out=[str(measured_on)], on_leak="drop")
        assert len(data._examples["train"]) == 6
        assert "evening" not in data.tokenizer_json
        assert "soup" in data.tokenizer_json
        assert data.leaks.count == 2
        assert data.leaks.summary().startswith('Left out 2 held-out texts:\n  train.csv, line 3: the text "a warm and')
        assert [file["left_out_as_held_out"] for file in data.state_dict()["files"]] == [2, 0]


def test_one_file_needs_no_list(files, measured_on):
    assert prepare(files, held_out=str(measured_on), on_leak="drop").leaks.count == 2


def test_short_texts_are_held_out_only_where_that_is_asked_for(files, measured_on):
    data = prepare(files, held_out=[str(measured_on)], on_leak="drop", held_out_min_words=2)
    assert data.leaks.count == 4  # "not good" too


def test_the_validation_file_is_checked_too(files, tmp_path):
    (tmp_path / "other.csv").write_text("text\nGood\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"validation\.csv, line 3"):
        prepare(files, held_out=[str(tmp_path / "other.csv")], held_out_min_words=1)


def test_a_held_out_file_that_changed_is_looked_at_again(files, measured_on):
    assert prepare(files, held_out=[str(measured_on)], on_leak="drop").leaks.count == 2
    measured_on.write_text("0 the soup was cold , and gray\n0 a warm and funny evening\n", encoding="utf-8")
    assert prepare(files, held_out=[str(measured_on)], on_leak="drop").leaks.count == 4
    with pytest.raises(DataError, match="line 2"):
        prepare(files, held_out=[str(measured_on)])
    measured_on.write_text("0 nothing of the kind here\n", encoding="utf-8")
    assert len(prepare(files, held_out=[str(measured_on)])._examples["train"]) == 8


def write_trees(path):
    path.write_text("(4 (2 A) (4 (4 warm) (3 (2 and) (3 (3 funny) (2 evening)))))\n", encoding="utf-8")


def write_texts_alone(path):
    path.write_text('"text"\n""\n"A warm and funny evening!"\n', encoding="utf-8")


def write_zipped_json(path):
    path.write_bytes(gzip.compress(json.dumps({"text": "a warm and funny evening<br />"}).encode()))


def write_parquet(path):
    parquet.write_table(pa.table({"text": ["a warm and funny evening"]}), path)


@pytest.mark.parametrize(
    ("name", "write", "place"),
    [
        ("test.txt", write_trees, (1, "line")),
        ("test.csv", write_texts_alone, (3, "line")),
        ("test.jsonl.gz", write_zipped_json, (1, "line")),
        ("test.parquet", write_parquet, (1, "row")),
    ],
)
def test_a_held_out_file_may_have_any_format_and_no_labels(tmp_path, name, write, place):
    path = tmp_path / name
    write(path)
    assert LeakageFilter([path]).find("A warm and funny evening") == Location(path, *place)


def test_the_first_of_several_files_is_named_and_repeats_count_once(tmp_path, measured_on):
    other = tmp_path / "other.txt"
    other.write_text("0 a warm and funny evening\n0 one more of these texts\n", encoding="utf-8")
    held_out = LeakageFilter([other, measured_on])
    assert held_out.find("a warm and funny evening") == Location(other, 1)
    assert held_out.find("one more of these, texts") == Location(other, 2)
    assert held_out.find("an evening") is None
    assert len(held_out) == 2
    assert (
        LeakageFilter([measured_on]).find("zzz " * 5) is None
    )  # beyond the last hash or before the first, one of the two
    assert LeakageFilter([measured_on]).find("aaa " * 5) is None


def test_plain_texts_are_filtered_as_they_come(tmp_path, measured_on):
    leaks = skipped_leaks("drop")
    texts = iter(["one", "a warm, and funny, evening", "two"])
    kept = drop_leaking_texts(texts, LeakageFilter([measured_on]), leaks, path=tmp_path / "reviews.txt")
    assert next(kept) == "one"
    assert next(texts) == "a warm, and funny, evening"  # nothing is read ahead
    assert list(kept) == ["two"]
    assert leaks.count == 0
    stopping = drop_leaking_texts(
        ["x", "a warm and funny evening"],
        LeakageFilter([measured_on]),
        skipped_leaks("stop"),
        path=tmp_path / "reviews.txt",
    )
    with pytest.raises(DataError, match=r"reviews\.txt, line 2"):
        list(stopping)


def test_what_was_left_out_adds_up(tmp_path, measured_on):
    first, second = skipped_leaks("drop"), skipped_leaks("drop")
    examples = [Example("a warm and funny evening", "pos", line) for line in range(1, 8)]
    assert list(drop_leaks(examples, LeakageFilter([measured_on]), first, path=tmp_path / "a.txt")) == []
    second.merge(first)
    assert second.count == 7
    assert second.summary().count("a.txt, line") == 5
    assert second.summary().endswith("and 2 more")
    assert str(pickle.loads(pickle.dumps(first.first[0]))) == str(first.first[0])  # noqa: S301 - our own


@pytest.mark.slow
def test_a_run_is_stopped_from_the_command_line_or_keeps_the_count(tmp_path):
    run_folder = tmp_path / "run"
    options = ["--trainer.max_steps=1", "--trainer.limit_val_batches=1"]
    (tmp_path / "test.csv").write_text("text\nWell done; said nobody ever!\n", encoding="utf-8")
    fit = run(tmp_path, f"--data.held_out=[{tmp_path}/test.csv]", *options)
    assert fit.returncode == 0, fit.stderr
    record = json.loads((run_folder / "run.json").read_text(encoding="utf-8"))
    assert record["data"][0]["left_out_as_held_out"] == 0
    assert record["data"][-1]["part"] == "held_out"
    text = "The soup was cold, the waiter colder"
    (tmp_path / "train.csv").write_text(csv([(text, "negative"), ("fine", "positive"), ("so", "neutral")]))
    (tmp_path / "test.csv").write_text(f'text\n"{text}!"\n', encoding="utf-8")
    files = [f"--data.held_out={tmp_path}/test.csv", f"--data.train={tmp_path}/train.csv"]
    fit = run(tmp_path, *files, *options, "--overwrite")
    assert fit.returncode == 1
    assert "train.csv, line 2: the text" in fit.stderr
    assert "Traceback" not in fit.stderr


def test_mr_holds_most_of_the_treebanks_test_sentences(real_data):
    # Counted by whoever gathered the data, with a narrower notion of the same: 1,702 of 2,210 and 1,431 of 1,821.
    mr = LeakageFilter([real_data / "mr" / "rt-polarity.txt.gz"], min_words=1)
    for name, counted in (("stsa.fine.test", 1702), ("stsa.binary.test", 1431)):
        leaks = skipped_leaks("drop")
        path = real_data / "sst" / name
        sentences = list(read_examples(path))
        kept = list(drop_leaks(sentences, mr, leaks, path=path))
        assert counted <= leaks.count <= 1.06 * counted
        assert leaks.count + len(kept) == len(sentences)


def test_imdb_train_is_stopped_for_its_test_file(real_data):
    # 123 rows are on both sides (data/README.md).
    train, test = (real_data / "imdb" / f"{part}.jsonl.gz" for part in ("train", "test"))
    leaks = skipped_leaks("drop")
    for _ in drop_leaks(read_examples(train), LeakageFilter([test]), leaks, path=train):
        pass
    assert leaks.count == 123


def test_the_treebanks_phrases_repeat_no_test_sentence_of_four_words(real_data):
    train, test = (real_data / "sst" / f"{part}.txt.gz" for part in ("train", "test"))

    def repeated(min_words):
        held_out, leaks = LeakageFilter([test], min_words=min_words), skipped_leaks("drop")
        phrases = read_examples(train, ReadingOptions(trees="phrases"))
        for _ in drop_leaks(phrases, held_out, leaks, path=train):
            pass
        return leaks.count

    assert repeated(1) == 18
    assert repeated(3) == 0
    sentences = read_examples(test)
    assert sum(count_words(sentence.text) < 4 for sentence in sentences) == 48
