"""A machine is called what its maker calls it."""

import platform

import pytest

from training.fit.provenance import processor_name

LINES = "processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC 9V74 80-Core Processor\nstepping\t: 1\n"


def test_the_processor_has_its_makers_name(tmp_path):
    (tmp_path / "cpuinfo").write_text(LINES + LINES.replace(": 0", ": 1"))
    assert processor_name(tmp_path / "cpuinfo") == "AMD EPYC 9V74 80-Core Processor"


@pytest.mark.parametrize("content", [None, "Processor\t: ARMv7\n", "model name\t:\n"])
def test_without_one_it_is_what_python_knows(tmp_path, monkeypatch, content):
    monkeypatch.setattr(platform, "processor", lambda: "")
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    if content is not None:
        (tmp_path / "cpuinfo").write_text(content)
    assert processor_name(tmp_path / "cpuinfo") == "aarch64"
