"""What cannot be served is said at once, in words, and the process ends."""

import os
import subprocess
import sys

import pytest

from tests.support.paths import ROOT

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("SENTIMENT_DEVICE", "cuda", "Install onnxruntime-gpu in place of onnxruntime"),
        ("SENTIMENT_MAX_BYTES_IN_FLIGHT", "2000", "SENTIMENT_MAX_BYTES_IN_FLIGHT=2000 cannot hold"),
        ("SENTIMENT_API_KEYS", "topsecret", "SENTIMENT_API_KEYS=(not shown): "),
    ],
)
def test_a_setting_that_cannot_be_stops_the_start(name, value, expected):
    if value == "cuda" and "CUDAExecutionProvider" in pytest.importorskip("onnxruntime").get_available_providers():
        pytest.skip("this machine's ONNX Runtime can use a GPU")
    environment = os.environ | {name: value, "BENTOML_DO_NOT_TRACK": "true"}
    command = [sys.executable, "-m", "bentoml", "serve", ".", "--host", "127.0.0.1", "--port", "0"]
    done = subprocess.run(  # noqa: S603 - our own command
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode != 0
    assert expected in done.stdout + done.stderr
    assert "topsecret" not in done.stdout + done.stderr
