"""A count of rows on the terminal while reading takes long."""

import io

from rich.console import Console

from training.data import progress


def test_rows_pass_through_and_nothing_is_written_where_nobody_watches(capsys):
    assert list(progress.watched(iter(range(5000)), "Reading")) == list(range(5000))
    assert capsys.readouterr().err == ""


def test_a_long_reading_is_counted_on_the_terminal(monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr(progress, "plain_console", lambda **_: Console(file=screen, force_terminal=True, width=80))
    monkeypatch.setattr(progress, "_SHOWN_AFTER", 0)
    assert list(progress.watched(iter(range(5000)), "Reading reviews [v2].csv")) == list(range(5000))
    assert "Reading reviews [v2].csv" in screen.getvalue()
    assert "5,000 rows" in screen.getvalue()
