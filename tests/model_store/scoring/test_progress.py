"""Progress without a terminal: plain lines with rate and time left."""

import io

from rich.console import Console

from model_store.scoring.progress import watching


def test_a_log_gets_a_plain_line_with_rows_rate_and_time_left():
    log = io.StringIO()
    with watching("Scoring in.csv", console=Console(file=log, width=20), every=0.0) as watch:
        watch(1000, 0.25)
        watch(1000, 0.25)
    first, second = log.getvalue().splitlines()
    assert first.startswith("Scoring in.csv: 25.0%, 1,000 rows, ")
    assert second.startswith("Scoring in.csv: 50.0%, 2,000 rows, ")
    assert second.endswith(" left")


def test_short_work_writes_no_line():
    log = io.StringIO()
    with watching("Scoring", console=Console(file=log)) as watch:
        watch(1000, 1.0)
    assert log.getvalue() == ""


def test_a_terminal_gets_a_bar():
    screen = io.StringIO()
    with watching("Scoring in.csv", console=Console(file=screen, force_terminal=True, width=100)) as watch:
        watch(1500, 1.0)
    assert "1,500 rows" in screen.getvalue()
    assert "100%" in screen.getvalue()
