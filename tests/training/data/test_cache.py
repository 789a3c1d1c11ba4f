"""The cache: built once, whole or not at all, whatever happens to the job that builds."""

import multiprocessing
import os
import time
from pathlib import Path

import pytest

from training.data.cache import cached, default_folder
from training.data.examples import DataError


class Work:
    """Something to be done once: counts how often it was."""

    def __init__(self, text: str = "done") -> None:
        self.text = text
        self.times = 0

    def __call__(self, folder: Path) -> None:
        self.times += 1
        (folder / "result.txt").write_text(self.text)


def result(folder):
    return (folder / "result.txt").read_text()


def get(folder, work, **fingerprint):
    return cached(folder, kind="test", fingerprint=fingerprint, build=work, load=result)


def entries(folder):
    """The entries' folders, without the locks."""
    return [path for path in folder.iterdir() if path.is_dir()]


def test_work_is_done_once_for_what_it_is_made_from(tmp_path):
    work = Work()
    assert [get(tmp_path, work, content="a"), get(tmp_path, work, content="a")] == ["done", "done"]
    assert work.times == 1
    get(tmp_path, work, content="b")
    get(tmp_path, work, content="a", option=1)
    assert work.times == 3


def test_the_order_of_what_it_is_made_from_does_not_matter(tmp_path):
    work = Work()
    get(tmp_path, work, one=1, other={"x": 1, "y": 2})
    get(tmp_path, work, other={"y": 2, "x": 1}, one=1)
    assert work.times == 1


def test_without_a_folder_nothing_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    work = Work()
    assert [get(None, work), get(None, work)] == ["done", "done"]
    assert work.times == 2
    assert list(tmp_path.iterdir()) == []


def empty(path):
    path.write_bytes(b"")


def cut(path):
    path.write_bytes(path.read_bytes()[:-2])


def alter(path):
    path.write_bytes(path.read_bytes()[:-1] + b"#")


@pytest.mark.parametrize("damage", [empty, cut, alter, Path.unlink])
@pytest.mark.parametrize("name", ["result.txt", "entry.json"])
def test_a_damaged_entry_is_built_again(tmp_path, damage, name):
    get(tmp_path, Work("first"))
    damage(entries(tmp_path)[0] / name)
    assert get(tmp_path, Work("second")) == "second"
    assert get(tmp_path, Work("third")) == "second"


def test_a_file_of_the_cache_that_holds_something_else_is_built_again(tmp_path):
    get(tmp_path, Work("first"))
    (entries(tmp_path)[0] / "entry.json").write_text("[]")
    assert get(tmp_path, Work("second")) == "second"


def test_work_that_fails_leaves_nothing(tmp_path):
    def fail(folder):
        (folder / "result.txt").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        get(tmp_path, fail)
    assert entries(tmp_path) == []
    assert get(tmp_path, Work()) == "done"


def killed_halfway(folder):
    """A job that is killed while it builds, with no chance to tidy up."""

    def die(partial):
        (partial / "result.txt").write_text("half")
        os._exit(9)

    get(folder, die)


def test_a_killed_job_blocks_nobody_and_nothing_of_it_is_used(tmp_path):
    job = multiprocessing.get_context("spawn").Process(target=killed_halfway, args=(tmp_path,))
    job.start()
    job.join()
    assert job.exitcode == 9
    assert [path.name[0] for path in entries(tmp_path)] == ["."]  # what it left, which no entry's name begins with
    assert get(tmp_path, Work()) == "done"
    assert len(entries(tmp_path)) == 1


def slow_work(folder, log, start, answers):
    def build(partial):
        with log.open("a") as stream:
            stream.write(f"{os.getpid()}\n")
        time.sleep(0.3)  # long enough for the other to come and wait
        (partial / "result.txt").write_text("done")

    start.wait()
    answers.put(get(folder, build))


def test_two_jobs_that_start_together_do_the_work_once_and_both_have_it(tmp_path):
    context = multiprocessing.get_context("spawn")
    start, answers, log = context.Barrier(2), context.Queue(), tmp_path / "builds.txt"
    jobs = [context.Process(target=slow_work, args=(tmp_path / "cache", log, start, answers)) for _ in range(2)]
    for job in jobs:
        job.start()
    assert [answers.get(timeout=60), answers.get(timeout=60)] == ["done", "done"]
    for job in jobs:
        job.join()
    assert len(log.read_text().splitlines()) == 1


def test_a_full_disk_is_said_to_be_one_and_leaves_nothing(tmp_path):
    def fill(folder):
        with Path("/dev/full").open("w") as stream:
            stream.write(f"{folder}")

    with pytest.raises(DataError, match=r"cannot be written there \(No space left on device\)\.\nMake room") as raised:
        get(tmp_path, fill)
    assert raised.value.path == tmp_path
    assert entries(tmp_path) == []


def test_an_error_about_another_file_is_left_as_it_is(tmp_path):
    def refused(_):
        raise PermissionError(13, "Permission denied", "/data/reviews.csv")

    with pytest.raises(PermissionError):
        get(tmp_path, refused)


def test_the_default_folder_is_where_the_user_keeps_caches(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "sentiment-encoder"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert default_folder() == tmp_path / "home" / ".cache" / "sentiment-encoder"
