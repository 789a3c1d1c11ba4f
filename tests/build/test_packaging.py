"""One version, one list of packages: what states them elsewhere says the same."""

import re
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement

import model_store
from model_store import cli
from tests.support.paths import ROOT
from training.commands import main as training_commands

CONFIGURATION = tomllib.loads((ROOT / "pyproject.toml").read_text())
PYPROJECT = CONFIGURATION["project"]
LOCK = (ROOT / "requirements.lock").read_text()
PIN = re.compile(r"^([\w.-]+)==(\S+)", re.MULTILINE)


def pins(text):
    return {name.lower().replace("_", "-"): version for name, version in PIN.findall(text)}


def names(requirements):
    return {Requirement(each).name for each in requirements}


def test_the_citation_states_the_version():
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == model_store.__version__


def test_the_newest_release_of_the_changelog_is_the_version():
    changelog = (ROOT / "CHANGELOG.md").read_text()
    releases = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d\d-\d\d$", changelog, re.MULTILINE)
    assert releases[0] == model_store.__version__


def test_both_command_lines_print_the_version(capsys):
    training_commands.main(["--version"])
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"{model_store.__version__}\n" * 2


@pytest.mark.parametrize("package", ["model_store", "service", "training"])
def test_a_package_carries_its_types(package):
    assert (ROOT / package / "py.typed").is_file()
    assert "py.typed" in CONFIGURATION["tool"]["setuptools"]["package-data"][package]


def test_the_lock_file_pins_every_dependency_to_the_version_that_is_tested():
    locked = pins(LOCK)
    assert names(PYPROJECT["dependencies"]) <= set(locked)
    tested = pins((ROOT / "constraints.txt").read_text())
    assert {name: version for name, version in locked.items() if tested.get(name, version) != version} == {}


def test_every_package_of_the_lock_file_has_hashes_and_none_names_an_index():
    entries = re.split(r"^(?=[\w.-]+==)", LOCK, flags=re.MULTILINE)[1:]
    assert len(entries) == len(pins(LOCK))
    assert [entry.splitlines()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert "://" not in LOCK


def test_a_bento_asks_for_the_packages_of_the_project():
    bento = yaml.safe_load((ROOT / "bentofile.yaml").read_text())["python"]["packages"]
    assert sorted(bento) == sorted(PYPROJECT["dependencies"])


@pytest.mark.parametrize("python", ["3.11", "3.12"])
def test_the_workflow_runs_every_python_that_is_promised(python):
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    assert python in workflow["jobs"]["all"]["strategy"]["matrix"]["python"]
    assert f"Programming Language :: Python :: {python}" in PYPROJECT["classifiers"]


def test_the_image_and_the_composition_limit_memory_and_end_with_their_worker():
    assert "BENTOML_CONTAINERIZED=true" in (ROOT / "deploy" / "Containerfile").read_text()
    service = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())["services"]["sentiment"]
    assert service["mem_limit"] == service["memswap_limit"] == "512m"
    assert service["restart"] == "unless-stopped"
