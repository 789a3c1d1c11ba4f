"""An unknown option is refused, with the one that was meant."""

import pytest

from tests.support.paths import CONFIGS
from training.commands.main import main
from training.commands.parser import nearest

KNOWN = ["model.hidden_size", "model.layers", "data.max_words", "trainer.max_epochs", "trainer.max_steps"]


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("model.hiden_size", "model.hidden_size"),
        ("hidden_size", "model.hidden_size"),
        ("data.layers", "model.layers"),
        ("trainer.max_epoch", "trainer.max_epochs"),
        ("qqq", None),
    ],
)
def test_the_nearest_key(key, meant):
    assert nearest(key, KNOWN) == meant


def refused(capsys, *arguments):
    with pytest.raises(SystemExit) as end:
        main(["fit", "--config", str(CONFIGS / "sample.yaml"), *arguments])
    assert end.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("--model.hiden_size=3", "unknown option '--model.hiden_size=3'; did you mean --model.hidden_size?"),
        ("--hidden_size=3", "did you mean --model.hidden_size?"),
        ("--trainer.max_epoch=3", "did you mean --trainer.max_epochs?"),  # argparse would take it as short for that
        ("stray", "nothing is expected at 'stray'"),
    ],
)
def test_on_the_command_line(argument, said, capsys):
    error = refused(capsys, argument)
    assert said in error
    assert len(error.splitlines()) == 2  # no pages of usage


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("model: {hiden_size: 3}", "unknown option 'model.hiden_size'; did you mean model.hidden_size?"),
        ("modl: {hidden_size: 3}", "did you mean model.hidden_size?"),
        (
            "trainer: {callbacks: [{class_path: pytorch_lightning.callbacks.EarlyStopping, init_args: {monitr: x}}]}",
            "pytorch_lightning.callbacks.EarlyStopping has no option 'monitr'; did you mean monitor?",
        ),
        (
            "trainer: {callbacks: [{class_path: pytorch_lightning.callbacks.EarlyStoping}]}",
            "pytorch_lightning.callbacks has no 'EarlyStoping'; did you mean EarlyStopping?",
        ),
    ],
)
def test_in_yaml(config, said, tmp_path, capsys):
    path = tmp_path / "wrong.yaml"
    path.write_text(config, encoding="utf-8")
    assert said in refused(capsys, "--config", str(path))


@pytest.mark.parametrize(
    ("command", "wrong", "meant"),
    [("test", "--formt", "--format"), ("split", "--validaton", "--validation"), ("export", "--versio", "--version")],
)
def test_of_the_other_commands(command, wrong, meant, capsys):
    with pytest.raises(SystemExit, match="2"):
        main([command, "some-file", wrong, "1", "--to", "somewhere"])
    assert f"did you mean {meant}?" in capsys.readouterr().err
