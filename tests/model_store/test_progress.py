"""Progress: a bar where somebody watches, a line every half minute in a log, nothing for short work."""

import io
import time

import pytest
from rich.console import Console

from model_store import progress
from model_store.progress import Progress, in_words, track, working


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def log():
    return Console(file=io.StringIO(), width=40, markup=False, emoji=False)


def screen():
    return Console(file=io.StringIO(), width=60, force_terminal=True, markup=False, emoji=False)


def work(watched, clock, *, seconds, amount):
    """``amount`` done, one every second."""
    for _ in range(seconds):
        clock.now += 1
        watched.advance(amount)


def test_work_of_less_than_ten_seconds_leaves_no_line_in_a_log(clock):
    console = log()
    with Progress("Reading", total=90, console=console, clock=clock) as watched:
        work(watched, clock, seconds=9, amount=10)
    assert console.file.getvalue() == ""


def test_a_log_gets_a_line_after_ten_seconds_then_every_half_minute_and_one_at_the_end(clock):
    console = log()
    with Progress("Reading a [b].csv", total=1000, unit="rows", console=console, clock=clock) as watched:
        work(watched, clock, seconds=50, amount=20)
    assert console.file.getvalue().splitlines() == [
        "Reading a [b].csv: 200 of 1,000 rows (20%), 20 a second, 40 s left",
        "Reading a [b].csv: 800 of 1,000 rows (80%), 20 a second, 10 s left",
        "Reading a [b].csv: 1,000 rows in 50 s.",
    ]


def test_a_line_is_flushed_at_once(clock):
    flushed = []
    console = log()
    console.file.flush = lambda: flushed.append(console.file.getvalue())
    with Progress("Reading", console=console, clock=clock) as watched:
        work(watched, clock, seconds=11, amount=1)
        assert flushed[-1] == "Reading: 10 texts, 1 a second\n"


def test_time_left_of_resumed_work_counts_only_what_was_done_since(clock):
    console = log()
    with Progress("Training", total=1000, done=900, unit="steps", console=console, clock=clock) as watched:
        work(watched, clock, seconds=10, amount=1)
    assert "910 of 1,000 steps (91%), 1 a second, 2 min left" in console.file.getvalue()


def test_the_terminal_shows_a_bar_and_the_figures_in_full(clock):
    console = screen()
    with Progress("Training", total=100, unit="steps", console=console, clock=clock) as watched:
        clock.now += 5
        watched.update(10, lambda: "epoch 1 of 3, loss 0.412, validation accuracy 87.2%")
    shown = " ".join(console.file.getvalue().split())
    assert "10 of 100 steps (10%), 2 a second, 45 s left" in shown
    assert "validation accuracy 87.2%" in shown
    assert "━" in shown


def test_progress_within_progress_is_part_of_the_outer_line(clock):
    outer, inner = log(), log()
    with Progress("Scoring", total=9, unit="parts", console=outer, clock=clock) as parts:
        parts.advance()
        with Progress("Part 2", total=100, console=inner, clock=clock) as texts:
            work(texts, clock, seconds=10, amount=5)
        parts.advance()
        work(parts, clock, seconds=30, amount=0)
    lines = outer.file.getvalue().splitlines()
    assert lines[0].endswith("; Part 2: 50 of 100 texts (50%), 5 a second, 10 s left")
    assert "Part 2" not in lines[1]
    assert inner.file.getvalue() == ""


def test_a_process_that_is_not_the_first_shows_nothing(clock):
    console = log()
    with Progress("Reading", shown=False, console=console, clock=clock) as watched:
        work(watched, clock, seconds=60, amount=1)
        watched.message("Epoch 1")
    assert console.file.getvalue() == ""


def test_items_pass_through_and_an_error_ends_the_display():
    assert list(track(iter(range(5000)), "Reading")) == list(range(5000))
    with pytest.raises(KeyError), Progress("Reading"):
        raise KeyError
    assert progress._running == []


def test_durations_are_in_words():
    assert [in_words(seconds) for seconds in (0.4, 59, 61, 3599, 12_000)] == [
        "0 s",
        "59 s",
        "1 min",
        "1 h 0 min",
        "3 h 20 min",
    ]


def test_work_of_one_call_is_shown_by_how_long_it_takes(monkeypatch):
    console = log()
    monkeypatch.setattr(progress, "plain_console", lambda **_: console)
    monkeypatch.setattr(progress, "FIRST_LINE_AFTER", 0.0)
    monkeypatch.setattr(progress, "LOOK_EVERY", 0.01)
    with working("Fitting"):
        while not console.file.getvalue():
            time.sleep(0.01)
    assert console.file.getvalue().splitlines() == ["Fitting: 0 s so far", "Fitting: 0 s."]
