"""What cannot be served is said at once, in words, and the process ends."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time

import httpx
import pytest

from model_store import bundle
from tests.support.paths import ROOT
from tests.support.server import free_port

pytestmark = pytest.mark.slow


def start(environment, *, port=0):
    """Start a service that cannot run: its exit status and all that it says."""
    foreign = {name: value for name, value in os.environ.items() if not name.startswith("SENTIMENT_")}
    foreign.pop("PROMETHEUS_MULTIPROC_DIR", None)
    command = [sys.executable, "-m", "bentoml", "serve", ".", "--host", "127.0.0.1", "--port", str(port or free_port())]
    done = subprocess.run(  # noqa: S603 - our own command
        command,
        cwd=ROOT,
        env=foreign | {"BENTOML_DO_NOT_TRACK": "true"} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout


def wait_for(server, line, *, times=1):
    """Wait until the log has these words so many times."""
    until = time.monotonic() + 60
    while server.log.read_text().count(line) < times:
        assert time.monotonic() < until, server.log.read_text()
        time.sleep(0.2)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("SENTIMENT_DEVICE", "cuda", "Install onnxruntime-gpu in place of onnxruntime"),
        ("SENTIMENT_MAX_BYTES_IN_FLIGHT", "2000", "SENTIMENT_MAX_BYTES_IN_FLIGHT=2000 cannot hold"),
        ("SENTIMENT_API_KEYS", "topsecret", "SENTIMENT_API_KEYS=(not shown): "),
        ("SENTIMENT_MAX_TEXT", "8", "SENTIMENT_MAX_TEXT: there is no such setting; the nearest is SENTIMENT_MAX_TEXTS"),
        ("SENTIMENT_MODEL", "/nowhere", "/nowhere: there is no such folder"),
        ("SENTIMENT_MODEL_SHA256", "0" * 64, "expected " + "0" * 64),
    ],
)
def test_what_cannot_be_served_stops_the_start_with_one_message(name, value, expected):
    if value == "cuda" and "CUDAExecutionProvider" in pytest.importorskip("onnxruntime").get_available_providers():
        pytest.skip("this machine's ONNX Runtime can use a GPU")
    status, said = start({name: value})
    assert status == 1
    assert expected in said
    assert len(said.splitlines()) <= 2
    assert "topsecret" not in said


def test_a_damaged_bundle_stops_the_start_before_the_service_listens(tiny_bundle, tmp_path):
    damaged = shutil.copytree(tiny_bundle, tmp_path / "damaged")
    with (damaged / bundle.GRAPH).open("ab") as graph:
        graph.write(b"more")
    # The port is taken, so that a service that listens first would speak of the port.
    with socket.create_server(("127.0.0.1", 0)) as taken:
        status, said = start({"SENTIMENT_MODEL": str(damaged)}, port=taken.getsockname()[1])
    assert status == 1
    assert f"{damaged / bundle.GRAPH}: was changed or cut short" in said
    assert len(said.splitlines()) == 2


def test_a_start_that_fails_leaves_a_running_services_metrics_alone(server):
    assert httpx.post(f"{server.url}/v1/predict", json={"texts": ["fine"]}).status_code == 200
    home = server.process.environ()["BENTOML_HOME"]
    status, said = start({"BENTOML_HOME": home}, port=server.port)
    assert status == 1
    assert f"cannot listen at 127.0.0.1:{server.port}: Address already in use" in said
    assert "Traceback" not in said
    counted = 'sentiment_requests_total{endpoint="/v1/predict",status="200"}'
    assert counted in httpx.get(f"{server.url}/metrics").text


def test_a_bundle_that_is_replaced_on_disk_is_not_served_beside_the_first(serve, tiny_bundle, tmp_path):
    folder = shutil.copytree(tiny_bundle, tmp_path / "bundle")
    first = bundle.read(folder)
    with serve(model=folder, workers=2) as server:
        wait_for(server, "Completed async startup hook", times=2)  # both workers are ready
        bundle.rewrite(first, manifest=first.manifest.replace(name="another"))
        assert bundle.read(folder).sha256 != first.sha256
        os.kill(min(server.workers()), signal.SIGKILL)
        wait_for(server, f"was {first.sha256} when it was verified")
        for _ in range(20):
            answer = httpx.post(f"{server.url}/v1/predict", json={"texts": ["fine"]}, timeout=20)
            assert answer.json()["model"]["sha256"] == first.sha256


def test_a_service_whose_only_worker_can_no_longer_start_ends(serve, tiny_bundle, tmp_path):
    folder = shutil.copytree(tiny_bundle, tmp_path / "bundle")
    with serve(model=folder) as server:
        (folder / bundle.GRAPH).unlink()
        (worker,) = server.workers()
        os.kill(worker, signal.SIGKILL)
        assert server.process.wait(300) == 1
        said = server.log.read_text()
    assert f"{folder / bundle.GRAPH}: is missing" in said
    assert "workers failed 5 times in 300 s: the service ends" in said
