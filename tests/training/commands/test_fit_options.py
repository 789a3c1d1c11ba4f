"""Options of fit that cannot work are refused before any data is read, in one plain message."""

import pytest
from pytorch_lightning.accelerators import CUDAAccelerator, MPSAccelerator

from tests.support.paths import SAMPLE
from training.commands.main import main

CONFIG = SAMPLE.parents[1] / "configs" / "sample.yaml"
ABSENT = [f"--data.{part}=absent-{part}.csv" for part in ("train", "validation", "test")]


def refused(capsys, folder, *options):
    with pytest.raises(SystemExit) as end:
        main(["fit", "--config", str(CONFIG), *ABSENT, f"--trainer.default_root_dir={folder}", *options])
    assert end.value.code == 2
    error = capsys.readouterr().err
    assert "Traceback" not in error
    assert "absent" not in error  # it is said before the files are opened
    assert list(folder.iterdir()) == []
    return error


def test_a_label_map_whose_keys_are_numbers(tmp_path, capsys):
    said = refused(capsys, tmp_path, "--data.label_map={1: negative}")
    assert "--data.label_map has the key 1, which is not text; put it in quotes" in said


def test_a_gpu_that_is_not_there(tmp_path, capsys, monkeypatch):
    for kind in (CUDAAccelerator, MPSAccelerator):
        monkeypatch.setattr(kind, "is_available", staticmethod(lambda: False))
    said = refused(capsys, tmp_path, "--trainer.accelerator=gpu")
    assert "--trainer.accelerator is gpu, but no such device is available; pass cpu or auto" in said


def test_a_wrong_name_for_a_bundle_is_refused_before_the_checkpoint_is_read(tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["export", "absent.ckpt", "--to", str(tmp_path / "bundle"), "--name", "My_Model"])
    error = capsys.readouterr().err
    assert "--name is 'My_Model', but it should be of lower-case letters" in error
    assert "absent" not in error


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--data.test=absent-test.csv", "absent-test.csv: there is no such file."),
        ("--data.validation=[absent.csv]", "absent.csv: there is no such file."),
        ("--data.held_out=absent.txt", "absent.txt: there is no such file."),
        ("--ckpt_path=absent.ckpt", "absent.ckpt: no such checkpoint"),
    ],
)
def test_a_file_that_is_not_there_is_named_before_the_first_is_read(tmp_path, capsys, option, message):
    # Read, the training file would be the error: it has one label only.
    (tmp_path / "one.csv").write_text("text,label\na,good\nb,good\n")
    files = [f"--data.train={tmp_path / 'one.csv'}", f"--data.validation={SAMPLE / 'validation.csv'}"]
    with pytest.raises(SystemExit, match="1"):
        main(["fit", *files, f"--trainer.default_root_dir={tmp_path / 'run'}", option])
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
