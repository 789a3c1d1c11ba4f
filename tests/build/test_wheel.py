"""The wheel, and the layout of the packages in it."""

import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.support.paths import ROOT

PACKAGES = ("model_store", "service", "training")


def tracked(*paths: str) -> list[str]:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *paths]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout  # noqa: S603
    return [path for path in listed.rstrip("\0").split("\0") if (ROOT / path).is_file()]


@pytest.mark.slow
def test_the_wheel_has_every_file_of_the_packages(tmp_path):
    source = tmp_path / "source"
    for path in tracked(*PACKAGES, "pyproject.toml", "README.md", "LICENSE"):
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, source / path)
    command = [sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "--no-build-isolation", "--no-index"]
    built = subprocess.run(  # noqa: S603
        [*command, "--wheel-dir", tmp_path], cwd=source, capture_output=True, text=True, timeout=300, check=False
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.partition("/")[0].endswith(".dist-info")}
    assert names == set(tracked(*PACKAGES))


def entries(package: str) -> tuple[set[str], set[str]]:
    """Names of the modules, beside ``__init__``, and of the folders at the top of a package."""
    paths = [Path(path).relative_to(package) for path in tracked(package)]
    modules = {path.stem for path in paths if len(path.parts) == 1 and path.suffix == ".py"}
    return modules - {"__init__"}, {path.parts[0] for path in paths if path.parts[1:]}


def test_the_top_of_training_holds_folders_only():
    modules, folders = entries("training")
    assert modules == {"__main__"}
    assert {"commands", "data", "network"} <= folders


def test_the_top_of_service_holds_at_most_14_modules():
    modules, _ = entries("service")
    assert len(modules) <= 14, sorted(modules)
