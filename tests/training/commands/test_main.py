"""The top level: its table of commands, its version, and what it does not import."""

import subprocess
import sys

import pytest

from model_store.version import __version__
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


@pytest.mark.parametrize("arguments", [["--help"], ["split", "--help"], ["split", "--wrong"], ["evaluate", "--help"]])
def test_what_needs_no_network_imports_no_torch(arguments):
    program = (
        "import atexit, sys\n"
        "from training.commands.main import main\n"
        "atexit.register(lambda: print('imported:', *{'torch', 'pytorch_lightning', 'nltk'} & set(sys.modules)))\n"
        f"main({arguments!r})\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)  # noqa: S603
    assert done.stdout.splitlines()[-1] == "imported:"
