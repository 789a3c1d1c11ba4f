"""Every option in a command that the docs show is one that the command has."""

import re
import shlex

import pytest

from tests.support.paths import ROOT
from training.commands.main import main

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)
PASSED_ON = {"repeat", "cross_validate"}  # take the options of fit too


def shown_commands() -> dict[str, set[str]]:
    """The options that the docs show, by command."""
    shown: dict[str, set[str]] = {}
    for page in PAGES:
        for block in BLOCK.findall(page.read_text()):
            for line in block.replace("\\\n", " ").splitlines():
                before, found, call = line.partition("-m training ")
                if found and ("python" in before or "torchrun" in before):
                    words = shlex.split(call, comments=True)
                    command = " ".join(words[: 2 if words[0] == "distill" else 1])
                    options = {word.partition("=")[0] for word in words if word.startswith("--")}
                    shown.setdefault(command, set()).update(options)
    return shown


SHOWN = shown_commands()


def help_of(command: str, capsys: pytest.CaptureFixture[str]) -> set[str]:
    with pytest.raises(SystemExit) as end:
        main([*command.split(), "--help_all" if command == "fit" else "--help"])
    assert end.value.code == 0
    return set(re.findall(r"--[\w.]+[\w-]*", capsys.readouterr().out))


@pytest.mark.slow
@pytest.mark.parametrize("command", sorted(SHOWN))
def test_the_command_has_every_option_that_the_docs_show(command, capsys):
    known = help_of(command, capsys)
    if command in PASSED_ON:
        known |= help_of("fit", capsys)
    # What is below a known option, as in --trainer.logger.tracking_uri, depends on the class that is named there.
    assert {option for option in SHOWN[command] - known if option.rpartition(".")[0] not in known} == set()


@pytest.mark.slow
def test_every_option_of_fit_that_the_reference_names_exists(capsys):
    pages = ["docs/reference/data.md", "docs/reference/training.md", "docs/how-to/prepare-data.md"]
    text = "".join((ROOT / page).read_text() for page in pages)
    named = set(re.findall(r"--(?:data|resume|telemetry|recovery)\.\w+", text))
    assert len(named) > 20
    assert named - help_of("fit", capsys) == set()
