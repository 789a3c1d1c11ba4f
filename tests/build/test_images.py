"""The images: what they are built of is there, and nothing that the service imports is left out."""

import importlib.util
import json
import re
import runpy
import subprocess
import sys
from pathlib import Path, PurePath

import pytest
import yaml

from tests.support.paths import ROOT

CONTAINERFILES = ["deploy/Containerfile", "deploy/training.Containerfile"]
ROOT_SCRIPT = runpy.run_path(str(ROOT / "deploy" / "minimal_root.py"))


def copied(containerfile):
    """The sources of its COPY lines that come from the repository."""
    for line in (ROOT / containerfile).read_text().splitlines():
        words = line.split()
        if words[:1] == ["COPY"] and not words[1].startswith("--from="):
            yield from words[1:-1]


@pytest.mark.parametrize("containerfile", CONTAINERFILES)
def test_what_an_image_copies_is_there_and_not_ignored(containerfile):
    allowed = [line[2:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!/")]
    sources = list(copied(containerfile))
    assert "model_store" in [source.removeprefix("./") for source in sources]
    for source in sources:
        assert (ROOT / source).exists()
        assert source.removeprefix("./") in allowed


@pytest.mark.parametrize("containerfile", CONTAINERFILES)
def test_an_image_runs_as_a_numbered_user_and_compiles_nothing(containerfile):
    text = (ROOT / containerfile).read_text()
    assert re.findall(r"^USER (\S+)$", text, re.MULTILINE) == ["10001:10001"]
    assert text.count("pip install") == text.count("--only-binary :all:")
    assert not re.search(r"apt-get|build-essential|gcc", text)


def test_images_have_one_base_which_cannot_change():
    bases = {re.search(r"^ARG BASE=(\S+)$", (ROOT / file).read_text(), re.MULTILINE)[1] for file in CONTAINERFILES}
    (base,) = bases
    assert re.fullmatch(r"python:3\.11-slim-\w+@sha256:[0-9a-f]{64}", base)


@pytest.mark.slow
def test_nothing_that_a_start_imports_is_left_out_of_the_image():
    program = (
        "import json, runpy, sys\n"
        "sys.path.insert(0, '.')\n"
        "runpy.run_path('deploy/compile_imports.py')['import_all']()\n"
        "from model_store import SentimentModel\n"
        "SentimentModel.load('default').predict(['fine'])\n"
        "files = [getattr(module, '__file__', None) for module in list(sys.modules.values())]\n"
        "print(json.dumps([file for file in files if file]))"
    )
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603
    files = json.loads(run.stdout.splitlines()[-1])
    site = str(Path(importlib.util.find_spec("numpy").origin).parents[1])
    packaged = [PurePath(file).relative_to(site) for file in files if file.startswith(site)]
    assert len(packaged) > 500
    left_out = [
        str(file)
        for file in packaged
        for place in (file, *file.parents[:-1])
        for pattern in ROOT_SCRIPT["UNUSED"]
        if place.match(pattern.removeprefix("**/"))
    ]
    assert left_out == []
    library = Path(json.__file__).parents[1]
    of_python = [Path(file) for file in files if Path(file).is_relative_to(library) and "site-packages" not in file]
    assert [file for file in of_python if ROOT_SCRIPT["is_left_out"](file, library)] == []


def test_a_release_is_built_checked_and_attested_by_the_workflow():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text())
    job = workflow["jobs"]["packages"]
    assert job["permissions"] == {"contents": "read", "id-token": "write", "attestations": "write"}
    commands = [step.get("run") for step in job["steps"]]
    uses = [step.get("uses", "").partition("@")[0] for step in job["steps"]]
    assert {"make release-check", "make audit", "make sbom"} <= set(commands)
    assert {"actions/attest-build-provenance", "actions/attest-sbom"} <= set(uses)
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {"release-check", "audit", "sbom", "lock-arm", "training-container"} <= set(targets)
