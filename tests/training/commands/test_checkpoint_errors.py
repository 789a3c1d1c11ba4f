"""A file that is not a checkpoint, in every command that takes one: one plain message and status 1."""

import pytest
import torch

from tests.support.paths import SAMPLE
from training.commands.main import main


@pytest.fixture(params=["empty", "text", "truncated", "foreign", "a list", "of another version"])
def damaged(request, tiny_task, tmp_path):
    path = tmp_path / "some.ckpt"
    own = {
        "state_dict": tiny_task.state_dict(),
        "hyper_parameters": dict(tiny_task.hparams),
        "datamodule_hyper_parameters": {},
    }
    match request.param:
        case "empty":
            path.touch()
        case "text":
            path.write_text("not a checkpoint", encoding="utf-8")
        case "truncated":
            torch.save(own, path)
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        case "foreign":
            torch.save({"model": torch.zeros(3), "epoch": 2}, path)
        case "a list":
            torch.save([1, 2], path)
        case "of another version":
            torch.save({**own, "hyper_parameters": {**own["hyper_parameters"], "heads": 8}}, path)
    return path


@pytest.mark.parametrize("command", ["test", "export", "evaluate"])
def test_a_damaged_checkpoint_is_named(command, damaged, tmp_path, capsys):
    options = {"test": [str(SAMPLE / "test.csv")], "export": ["--to", str(tmp_path / "bundle")], "evaluate": []}
    with pytest.raises(SystemExit, match="1"):
        main([command, str(damaged), *options[command]])
    error = capsys.readouterr().err
    assert error.startswith(f"{damaged}: ")
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "bundle").exists()
