"""A job that is killed or stopped: nothing is lost but the parts at hand, and the output has the same bytes."""

import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import psutil
import pytest

from model_store.scoring.records import PART_ROWS

ROWS = 16_000
PATIENCE = 120  # seconds for a step that takes one or two


@contextmanager
def scoring(bundle, source, to, *, workers):
    """The command, running."""
    arguments = [str(source), "--to", str(to), "--model", str(bundle), "--workers", workers]
    with subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "model_store", "score", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as job:
        yield job


def finish(job):
    """Its exit code, output and messages."""
    output, messages = job.communicate(timeout=PATIENCE)
    return job.returncode, output, messages


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("score") / "in.csv"
    rows = (f"{number},{'' if number % 1000 == 7 else f'soup {number} is fine'}\n" for number in range(ROWS))
    path.write_text("id,text\n" + "".join(rows))
    return path


@pytest.fixture(scope="module")
def whole(source, tiny_bundle):
    """The output of a run that nothing disturbed."""
    to = source.with_name("whole.csv")
    with scoring(tiny_bundle, source, to, workers="1") as job:
        assert finish(job)[0] == 0
    return to


def finished_parts(to):
    return sorted(to.with_name(f"{to.name}.parts").glob("[0-9]*.csv"))


def until(condition):
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_killed_job_resumes_to_the_same_bytes(workers, source, whole, tiny_bundle, tmp_path):
    to = tmp_path / "out.csv"
    with scoring(tiny_bundle, source, to, workers=workers) as job:
        until(lambda: finished_parts(to))
        processes = psutil.Process(job.pid).children(recursive=True)
        job.kill()
    assert not to.exists()
    assert 0 < len(finished_parts(to)) < ROWS / PART_ROWS
    _, alive = psutil.wait_procs(processes, timeout=PATIENCE)
    assert alive == []  # workers end with their parent
    with scoring(tiny_bundle, source, to, workers=workers) as job:
        code, output, _ = finish(job)
    assert code == 0
    assert "parts were finished before" in output
    assert to.read_bytes() == whole.read_bytes()
    bad = whole.with_name("whole.csv.bad.jsonl").read_bytes()
    assert bad.count(b"\n") == ROWS // 1000
    assert to.with_name("out.csv.bad.jsonl").read_bytes() == bad
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv", "out.csv.bad.jsonl"]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_job_says_how_to_go_on(number, source, tiny_bundle, tmp_path):
    to = tmp_path / "out.csv"
    with scoring(tiny_bundle, source, to, workers="2") as job:
        until(lambda: finished_parts(to))
        job.send_signal(number)
        code, _, messages = finish(job)
    assert code == 130
    assert messages == "Stopped. The finished parts are kept: give the same command again to go on.\n"
    assert finished_parts(to)


@pytest.mark.slow
def test_two_jobs_do_not_write_one_output(source, tiny_bundle, tmp_path):
    to = tmp_path / "out.csv"
    with scoring(tiny_bundle, source, to, workers="1") as first:
        until(lambda: finished_parts(to))
        first.send_signal(signal.SIGSTOP)
        with scoring(tiny_bundle, source, to, workers="1") as second:
            code, _, messages = finish(second)
        first.kill()
    assert code == 1
    assert "is being written by another process" in messages
