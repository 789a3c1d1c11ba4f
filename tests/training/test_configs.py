"""Every config runs as it stands, given the paths that its first lines name."""

import re

import pytest

from tests.support.paths import CONFIGS, ROOT
from training.commands.repeat import resolved_config

FILES = sorted(CONFIGS.glob("*.yaml"))
PATHS = [f"--data.{part}={part}.csv" for part in ("train", "validation", "test")]


def test_every_config_that_the_documentation_names_is_there():
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    named = {name for page in pages for name in re.findall(r"training/configs/([\w-]+)\.yaml", page.read_text("utf-8"))}
    assert named
    assert named <= {path.stem for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_config_has_no_unknown_key_and_a_run_folder_of_its_own(path):
    config = resolved_config(["--config", str(path), *PATHS])
    assert config["trainer"]["default_root_dir"] == f"runs/{path.stem}"
    assert config["trainer"]["gradient_clip_val"] == 1.0  # the command's default, which no config changes
    assert "gradient_clip_val" not in path.read_text(encoding="utf-8")
    assert config["data"]["train"] == "train.csv"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_config_begins_with_its_command(path):
    comment = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        comment.append(line)
    command = {"mr-cv": "cross_validate --folds 10"}.get(path.stem, "fit")
    assert f"python -m training {command} --config training/configs/{path.name}" in "\n".join(comment)


def test_the_deep_one_is_deep_and_the_gru_one_has_grus():
    assert resolved_config(["--config", str(CONFIGS / "deep.yaml"), *PATHS])["model"]["layers"] == 8
    assert resolved_config(["--config", str(CONFIGS / "gru.yaml"), *PATHS])["model"]["cell"] == "gru"
