"""Bundles of one name and several versions, in folders that a test may change, and their pins."""

import shutil

import pytest

from model_store import bundle as bundles
from service.models.pins import PinFile, pinned
from service.models.references import ModelReference, read_all


def write_version(folder, tiny_bundle, version):
    """The tiny bundle under another version, in place of what the folder holds."""
    content = bundles.read(tiny_bundle)
    files = {bundles.TOKENIZER: content.tokenizer, bundles.GRAPH: content.graph}
    shutil.rmtree(folder, ignore_errors=True)
    bundles.write(folder, content.manifest.replace(version=version), files)
    return folder


@pytest.fixture
def bundle(tiny_bundle, tmp_path):
    """Version 1, in a folder of its own."""
    return write_version(tmp_path / "bundle", tiny_bundle, "1")


@pytest.fixture
def renew(bundle, tiny_bundle):
    """Write another version to the folder of ``bundle``."""
    return lambda version: write_version(bundle, tiny_bundle, version)


@pytest.fixture
def reference(bundle):
    """The model m, from that folder."""
    return ModelReference("m", str(bundle))


@pytest.fixture
def file(tmp_path, reference):
    """The pins of a service that has just begun."""
    file = PinFile.in_folder(tmp_path)
    file.write(pinned(read_all([reference])))
    return file


@pytest.fixture
def damage(bundle):
    """Change the graph of a bundle: of ``bundle``, or of another folder."""

    def change(folder=bundle):
        graph = folder / bundles.GRAPH
        graph.write_bytes(graph.read_bytes() + b" ")

    return change
