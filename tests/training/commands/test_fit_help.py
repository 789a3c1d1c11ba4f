"""The first help of fit, and the names that are checked before Lightning is imported."""

import pytest

from tests.support.paths import CONFIGS
from training.commands.fit_options import FIRST, KEYS, NAMES, OF_LIBRARIES, check_names, with_shipped_configs
from training.commands.main import main
from training.commands.parser import UsageError
from training.commands.repeat import resolved_config


@pytest.fixture(scope="module")
def config():
    """What the parser takes for every option when nothing but the files is given."""
    return resolved_config(["--data.train=train.csv", "--data.validation=validation.csv"])


def test_the_help_has_twenty_options_in_groups(capsys):
    main(["fit", "--help"])
    shown = capsys.readouterr().out
    assert sum(map(len, FIRST.values())) == 20
    for group, options in FIRST.items():
        assert f"\n{group}:\n" in shown
        for option in options:
            assert f"  --{option.name} " in shown


@pytest.mark.slow
def test_the_names_are_those_of_the_parser(config):
    groups = {group: content for group, content in config.items() if group in NAMES}
    names = {f"{group}.{name}" for group, content in groups.items() for name in content}
    names |= set(config) - set(groups) - set(OF_LIBRARIES) | {"config", "print_config"}
    assert names == set(KEYS)


@pytest.mark.slow
def test_the_defaults_shown_are_those_of_the_parser(config):
    for option in (option for options in FIRST.values() for option in options):
        group, _, name = option.name.rpartition(".")
        default = (config[group] if group else config)[name]
        if option.name not in {"data.train", "data.validation"}:
            assert option.default == ("" if default is None else str(default).lower()), option.name


@pytest.mark.parametrize(
    ("argument", "meant"),
    [
        ("--data.txt_column", "data.text_column"),
        ("--text_column=review", "data.text_column"),
        ("--model.hiden_size", "model.hidden_size"),
        ("--epochs", None),
    ],
)
def test_an_option_that_does_not_exist_is_refused(argument, meant, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["fit", argument, "1"])
    error = capsys.readouterr().err
    assert f"unknown option '{argument}'" in error
    assert (f"did you mean --{meant}?" in error) if meant else ("did you mean" not in error)


@pytest.mark.parametrize(
    "argument",
    [
        "--data.train+=a.csv",
        "--data.label_map.neg=bad",
        "--trainer.max_epochs=1",
        "--config=a.yaml",
        "-c",
        "--no_overwrite",
    ],
)
def test_an_option_that_may_exist_is_left_to_the_parser(argument):
    check_names([argument])


def test_options_of_the_command_around_fit_are_suggested_too():
    with pytest.raises(UsageError) as error:
        check_names(["--sed=1"], ["seeds"])
    assert "seeds" in error.value.keys


@pytest.mark.parametrize(
    "arguments", [["--config=training/configs/gru.yaml"], ["--config", "training/configs/gru.yaml"]]
)
def test_a_shipped_config_is_found_from_any_folder(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "=".join(with_shipped_configs(arguments)) == f"--config={CONFIGS / 'gru.yaml'}"
    (tmp_path / "training" / "configs").mkdir(parents=True)
    (tmp_path / "training" / "configs" / "gru.yaml").write_text("model: {}\n")
    assert with_shipped_configs(arguments) == arguments


def test_other_arguments_stay_as_they_are():
    arguments = ["--config", "mine.yaml", "--data.label_map={a=b: c}", "--data.train", "training/configs/none.yaml"]
    assert with_shipped_configs(arguments) == arguments
