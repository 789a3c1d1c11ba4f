"""The top level: its table of commands, its version, and what it does not import."""

import json
import subprocess
import sys

import pytest

from model_store.version import __version__
from tests.support.paths import SAMPLE
from training.commands.main import COMMANDS, main


def test_the_help_has_a_line_for_every_command(capsys):
    main(["--help"])
    shown = capsys.readouterr().out
    for name, (_, line) in COMMANDS.items():
        assert f"  {name:{16}}{line}" in shown


def test_the_version_is_the_one_of_the_software(capsys):
    main(["--version"])
    assert capsys.readouterr().out == f"{__version__}\n"


def test_an_unknown_command_is_refused_with_the_nearest(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["evalute"])
    assert "'evalute' is not a command; did you mean evaluate?" in capsys.readouterr().err


def test_ctrl_c_ends_any_command_with_130_and_a_line(monkeypatch, capsys):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("training.commands.split.main", interrupted)
    with pytest.raises(SystemExit, match="130"):
        main(["split", "file.csv"])
    assert capsys.readouterr().err == "\nsplit was stopped by Ctrl-C\n"


HEAVY = {
    "torch",
    "pytorch_lightning",
    "torchmetrics",
    "torchtext",
    "transformers",
    "nltk",
    "onnx",
    "pyarrow",
    "sklearn",
}
"""Libraries that take from a third of a second to ten to import."""

QUICK = [*COMMANDS, "distill teacher", "distill ngrams", "distill score"]


def imported_by(*command_lines):
    """The heavy libraries that each command line imports, one after the other in a process of their own."""
    program = (
        "import contextlib, io, json, sys\n"
        "from training.commands.main import main\n"
        f"heavy = {HEAVY!r}\n"
        "found = {}\n"
        f"for line in {list(command_lines)!r}:\n"
        "    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):\n"
        "        with contextlib.suppress(SystemExit):\n"
        "            main(line.split())\n"
        "    found[line] = sorted(heavy & set(sys.modules))\n"
        "print(json.dumps(found))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603
    return json.loads(done.stdout)


def test_no_help_imports_a_heavy_library():
    command_lines = ["--help", *(f"{name} --help" for name in QUICK)]
    assert imported_by(*command_lines) == {line: [] for line in command_lines}


def test_no_wrong_option_imports_a_heavy_library():
    command_lines = ["wrong", *(f"{name} --wrong" for name in QUICK), "fit --data.wrong 1", "repeat --model.wrong=1"]
    assert imported_by(*command_lines) == {line: [] for line in command_lines}


def test_split_imports_no_heavy_library(tmp_path):
    line = f"split {SAMPLE / 'train.csv'} --to {tmp_path}"
    assert imported_by(line) == {line: []}
    assert (tmp_path / "train.jsonl").is_file()
