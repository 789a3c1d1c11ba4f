"""Options from a signature: flags, lists, nested dataclasses, old names, and what is refused."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pytest

from training.commands.parser import UsageError, parse, run, split_arguments


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How.

    Attributes:
        column: of the text.
        tokens: whether these are tokens.
        label_map: label to label.
    """

    column: str = "text"
    tokens: bool = False
    label_map: dict[str, str | None] | None = None


DEFAULT = Reading()


def command(
    model: str = "default",
    *,
    files: Path | list[Path] | None = None,
    overwrite: bool = False,
    calibrate: bool = True,
    batch_size: int = 8,
    reading: Reading = DEFAULT,
) -> None:
    """Does nothing.

    Args:
        model: the model that is used.
        files: read.
    """


def given(*arguments, function=command, **options):
    return parse(function, list(arguments), command="some", description="Does nothing.", **options)


def test_defaults_are_those_of_the_signature():
    assert given() == {
        "model": "default", "files": None, "overwrite": False, "calibrate": True, "batch_size": 8, "reading": Reading(),
    }  # fmt: skip


@pytest.mark.parametrize("form", [["--overwrite"], ["--overwrite=true"], ["--overwrite", "true"]])
def test_a_flag_stands_alone_and_its_old_forms_are_read(form):
    assert given(*form, "mine")["overwrite"] is True
    assert given(*form, "mine")["model"] == "mine"


@pytest.mark.parametrize("form", [["--no_calibrate"], ["--no-calibrate"], ["--calibrate=false"], ["--calibrate", "no"]])
def test_a_flag_is_taken_back(form):
    assert given(*form)["calibrate"] is False


def test_one_value_or_a_list_in_brackets():
    assert given("--files", "a.csv")["files"] == Path("a.csv")
    assert given("--files", "[a.csv, b.csv]")["files"] == [Path("a.csv"), Path("b.csv")]


def test_dashes_in_a_name_are_read_as_underscores():
    assert given("--batch-size", "3")["batch_size"] == 3


def test_the_fields_of_a_dataclass_are_options_of_their_own():
    options = given("--column", "review", "--tokens", "--label_map", '{"1": good}')
    assert options["reading"] == Reading(column="review", tokens=True, label_map={"1": "good"})


def test_of_an_annotated_dataclass_only_what_was_given():
    def measured(*, reading: Annotated[dict[str, Any], Reading]) -> None:
        """Does nothing."""

    assert given("--column", "review", function=measured) == {"reading": {"column": "review"}}
    assert given("--no_tokens", function=measured) == {"reading": {"tokens": False}}


def test_a_yaml_file_may_hold_the_options(tmp_path):
    path = tmp_path / "options.yaml"
    path.write_text("batch_size: 5\ncolumn: review\n", encoding="utf-8")
    options = given("--config", str(path), "--batch_size", "6")
    assert (options["batch_size"], options["reading"].column) == (6, "review")


def test_an_old_name_is_read_with_a_note(capsys):
    renamed = {"size": "batch_size", "all": None}
    assert given("--size", "3", "--all", renamed=renamed)["batch_size"] == 3
    assert capsys.readouterr().err == "--size is now --batch_size\n--all is no longer needed\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--batch_siz", "3"], "unknown option '--batch_siz'; did you mean --batch_size?"),
        (["--batch", "3"], "unknown option '--batch'"),  # no abbreviations
        (["--batch_size", "many"], "batch_size"),
        (["mine", "stray"], "nothing is expected at 'stray'"),
        (["--label_map", "{1: negative}"], "--label_map has the key 1, which is not text; put it in quotes"),
    ],
)
def test_a_wrong_argument_ends_with_2_and_names_the_help(arguments, said, capsys):
    with pytest.raises(SystemExit, match="2"):
        given(*arguments)
    error = capsys.readouterr().err
    assert said in error
    assert error.endswith("Every option: python -m training some --help\n")


@pytest.mark.parametrize(("error", "status"), [(UsageError("pass another"), 2), (KeyError("the data"), 1)])
def test_errors_become_a_message_and_a_status(error, status, capsys):
    def fails() -> None:
        """Fails."""
        raise error

    with pytest.raises(SystemExit) as end:
        run(fails, [], command="some", description="", errors=(KeyError,))
    assert end.value.code == status
    assert str(error) in capsys.readouterr().err


def test_a_command_keeps_its_own_options_and_passes_on_the_others():
    @dataclass
    class Own:
        """Options."""

        seeds: int = 1
        resume: bool = False

    own, others = split_arguments(["--seeds", "3", "--config", "x", "--resume", "--data.train=y", "--seeds=4"], Own)
    assert own == ["--seeds", "3", "--resume", "--seeds=4"]
    assert others == ["--config", "x", "--data.train=y"]


def test_the_help_shows_the_description_of_every_parameter(capsys):
    with pytest.raises(SystemExit, match="0"):
        given("--help")
    shown = capsys.readouterr().out
    assert "the model that is used." in shown
    assert "--overwrite, --no_overwrite" in shown
    assert "--column COLUMN" in shown
