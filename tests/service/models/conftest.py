"""Two bundles of one name and two versions, in folders that a test may change."""

import shutil

import pytest

from model_store import bundle as bundles


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
