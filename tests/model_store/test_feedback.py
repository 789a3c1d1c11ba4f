"""The file of feedback: what was written is read, the last word counts, and the file stays bounded."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest

from model_store.feedback import Feedback, FeedbackStore, read_feedback


def entry(number, **fields):
    return Feedback(**{"request_id": f"r{number}", "index": 0, "model": "m:1", "labels": ("a",), **fields})


@pytest.fixture
def path(tmp_path):
    return tmp_path / "feedback.db"


def test_entries_come_back_in_order_and_the_last_about_a_text_counts(path):
    store = FeedbackStore(path, max_bytes=10**6)
    store.append([entry(1), entry(2, labels=("b", "c"), text="Très 🎉")])
    store.append([entry(1, index=1), entry(1, labels=("b",))])
    assert list(read_feedback(path)) == [
        entry(2, labels=("b", "c"), text="Très 🎉"),
        entry(1, index=1),
        entry(1, labels=("b",)),
    ]


def test_several_writers_lose_nothing(path):
    stores = [FeedbackStore(path, max_bytes=10**8) for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: stores[number % 4].append([entry(number)]), range(200)))
    assert {each.request_id for each in read_feedback(path)} == {f"r{number}" for number in range(200)}


def test_the_oldest_make_room(path):
    store = FeedbackStore(path, max_bytes=2**20)
    for number in range(600):
        store.append([entry(number, text="x" * 10_000)])
    left = [int(each.request_id[1:]) for each in read_feedback(path)]
    assert left == list(range(left[0], 600))
    assert 50 < len(left) < 150
    assert path.stat().st_size < 3 * 2**20


@pytest.mark.parametrize("make", [lambda path: path.write_bytes(b"no database" * 100), lambda path: path.mkdir()])
def test_what_is_no_such_file_is_an_error_that_names_it(path, make):
    make(path)
    with pytest.raises(OSError, match=r"feedback\.db"):
        FeedbackStore(path, max_bytes=10**6)
    with pytest.raises(OSError, match=r"feedback\.db"):
        list(read_feedback(path))


def test_a_write_that_fails_is_an_error_and_leaves_the_rest(path):
    store = FeedbackStore(path, max_bytes=10**6)
    store.append([entry(1)])
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TRIGGER full BEFORE INSERT ON feedback BEGIN SELECT RAISE(ABORT, 'disk full'); END")
    with pytest.raises(OSError, match="disk full"):
        store.append([entry(2)])
    assert list(read_feedback(path)) == [entry(1)]
