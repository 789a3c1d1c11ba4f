"""The dashboard of deploy/ asks for what a running service really says, in a language that Prometheus understands."""

import json
import re
import shutil
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.paths import ROOT
from tests.support.server import free_port

DEPLOY = ROOT / "deploy"
PANELS = json.loads((DEPLOY / "grafana" / "sentiment.json").read_text())["panels"]
EXPRESSIONS = sorted({target["expr"] for panel in PANELS for target in panel["targets"]})
WITHOUT_KEYS = [expression for expression in EXPRESSIONS if "sentiment_key_" not in expression]
METRIC = re.compile(r"\bsentiment_[a-z0-9_]+")
SECONDS = 30


@pytest.fixture(scope="module")
def server(tiny_bundle, start_server):
    with start_server(model=tiny_bundle, threads=1, unsupported_language="flag", shadow=tiny_bundle) as server:
        yield server


def ask(server):
    """One call of each kind that a panel is about."""
    texts = ["fine", "never seen before", "", "fine " * 500]  # the tiny model reads 400 tokens
    assert httpx.post(f"{server.url}/v1/predict", json={"texts": texts}).status_code == 200
    assert httpx.get(f"{server.url}/nothing").status_code == 404
    stream = {"content": b"not json\n", "headers": {"content-type": "application/x-ndjson"}}
    assert httpx.post(f"{server.url}/v1/bulk", **stream).status_code == 200


def test_a_running_service_exports_every_metric_of_the_dashboard(server):
    ask(server)
    lines = httpx.get(f"{server.url}/metrics").text.splitlines()
    exported = {METRIC.match(line)[0] for line in lines if METRIC.match(line)}
    assert {name for expression in WITHOUT_KEYS for name in METRIC.findall(expression)} <= exported


def promtool(*arguments):
    """Debian's promtool, which comes with Prometheus."""
    if shutil.which("promtool") is None:
        pytest.skip("there is no promtool to test the rules with; on Debian: apt-get install prometheus")
    result = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False, cwd=ROOT)  # noqa: S603, S607
    return result.returncode, result.stdout + result.stderr


def test_prometheus_takes_the_configuration_with_its_rules():
    status, output = promtool("check", "config", "deploy/prometheus.yml")
    assert status == 0, output
    assert "17 rules found" in output


def test_alerts_fire_when_they_should_and_not_otherwise():
    status, output = promtool("test", "rules", "tests/build/prometheus-rules-test.yml")
    assert status == 0, output


def test_every_alert_has_a_test():
    rules = (DEPLOY / "prometheus-rules.yml").read_text()
    tests = (ROOT / "tests" / "build" / "prometheus-rules-test.yml").read_text()
    alerts = re.findall(r"alert: (\w+)", rules)
    assert len(alerts) == 12
    assert [alert for alert in alerts if f"alertname: {alert}\n" not in tests] == []


@contextmanager
def prometheus(server, folder: Path):
    """Debian's Prometheus with deploy/prometheus.yml, but for the address and the interval: its own address."""
    config = (DEPLOY / "prometheus.yml").read_text()
    assert '"sentiment:3000"' in config
    changed = config.replace("sentiment:3000", f"127.0.0.1:{server.port}").replace("10s", "1s")
    (folder / "prometheus.yml").write_text(changed)
    shutil.copy(DEPLOY / "prometheus-rules.yml", folder)
    address = f"127.0.0.1:{free_port()}"
    command = [
        "prometheus",
        "--config.file=prometheus.yml",
        "--storage.tsdb.path=data",
        f"--web.listen-address={address}",
    ]
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(command, cwd=folder, stdout=log, stderr=log) as process,  # noqa: S603
    ):
        try:
            yield f"http://{address}"
        finally:
            process.terminate()


def query(address, expression):
    """The series an expression has now; fails where Prometheus does not understand it."""
    written = expression.replace("$job", "sentiment").replace("$__rate_interval", "10s")
    assert "$" not in written
    answer = httpx.get(f"{address}/api/v1/query", params={"query": written}).json()
    assert answer["status"] == "success", answer
    return answer["data"]["result"]


@pytest.fixture(scope="module")
def scraping(server, tmp_path_factory):
    """Prometheus, once it has seen a service that is asked all the time."""
    if shutil.which("prometheus") is None:
        pytest.skip("there is no prometheus to draw the dashboard's data with; on Debian: apt-get install prometheus")
    with prometheus(server, tmp_path_factory.mktemp("prometheus")) as address:
        until = time.monotonic() + SECONDS
        seen = 0
        while seen < 4:  # a rate needs two samples after the first call
            assert time.monotonic() < until, "Prometheus did not scrape the service"
            ask(server)
            time.sleep(0.5)
            try:
                found = query(address, 'count_over_time(up{job="sentiment"}[1m]) and up == 1')
            except (httpx.HTTPError, json.JSONDecodeError):
                continue  # it is still starting, and refuses calls or answers in plain text
            seen = int(found[0]["value"][1]) if found else 0
        yield address


@pytest.mark.parametrize("expression", WITHOUT_KEYS)
def test_prometheus_answers_the_dashboards_queries(scraping, expression):
    assert query(scraping, expression)


def test_the_dashboard_finds_the_job_it_lets_one_choose(scraping):
    answer = httpx.get(f"{scraping}/api/v1/label/job/values", params={"match[]": "sentiment_model_info"}).json()
    assert answer["data"] == ["sentiment"]
