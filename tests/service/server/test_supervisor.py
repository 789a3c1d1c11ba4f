"""What the supervisor relies on inside BentoML and circus, and what it records."""

import inspect
import logging
import threading
from types import SimpleNamespace

import bentoml.serving
import pytest
from _bentoml_impl.server import serving
from bentoml._internal.utils import circus as bentoml_circus
from circus.arbiter import Arbiter
from circus.sighandler import SysHandler
from circus.watcher import Watcher
from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.values import MultiProcessValue

from service.monitoring.supervisor_metrics import SupervisorMetrics
from service.server import supervisor
from service.server.supervisor import MAX_FAILURES, DeathRecord, Supervisor, install_supervisor


@pytest.fixture(autouse=True)
def _nothing_stays(monkeypatch, tmp_path):
    """BentoML is as it was, and the private folder is a temporary one."""
    monkeypatch.setattr(bentoml_circus, "create_standalone_arbiter", bentoml_circus.create_standalone_arbiter)
    monkeypatch.setattr(bentoml.serving, "ensure_prometheus_dir", bentoml.serving.ensure_prometheus_dir)
    monkeypatch.setattr(supervisor, "_folders", [tmp_path])
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))


def test_bentoml_imports_what_is_replaced_when_it_serves():
    source = inspect.getsource(serving.serve_http)
    assert "from bentoml._internal.utils.circus import create_standalone_arbiter\n" in source
    assert "from bentoml.serving import ensure_prometheus_dir\n" in source
    assert source.index("server_on_deployment(svc)") < source.index("create_watcher(")  # which copies the environment
    assert not {"create_standalone_arbiter", "ensure_prometheus_dir"} & vars(serving).keys()


def test_circus_calls_the_hook_with_these_arguments():
    source = inspect.getsource(Watcher.reap_process)
    assert 'call_hook("after_reap", process_status=' in source
    assert all(f'"{name}"' in source for name in ("process_pid", "exit_code"))
    assert "self.reload()" in inspect.getsource(SysHandler.handle_hup)
    assert "self.sockets.close_all()" in inspect.getsource(Arbiter.stop_controller_and_close_sockets)


def test_workers_are_stopped_in_time_replaced_and_recorded(tmp_path):
    renewed = threading.Event()
    renewal = SimpleNamespace(renew=renewed.set, renew_stages=lambda: None)
    install_supervisor(drain_seconds=2, grace_seconds=30, renewal=lambda _: renewal)
    assert bentoml.serving.ensure_prometheus_dir() == str(tmp_path / "metrics")
    watcher = bentoml.serving.create_watcher(name="service", args=["-m", "worker"])
    arbiter = bentoml_circus.create_standalone_arbiter([watcher], sockets=[])
    try:
        assert isinstance(arbiter, Supervisor)
        assert arbiter.endpoint == f"ipc://{tmp_path}/endpoint"
        assert arbiter.pubsub_endpoint == f"ipc://{tmp_path}/pubsub_endpoint"
        assert watcher.args == ["-m", "worker", "--timeout-graceful-shutdown", "30"]
        assert watcher.graceful_timeout > 32
        assert watcher.respawn
        assert isinstance(watcher.hooks["after_reap"], DeathRecord)
        arbiter.reload(graceful=True, sequential=False)  # as circus does at SIGHUP
        assert renewed.wait(10)
    finally:
        arbiter.ctrl.sys_hdl.stop()


def watcher(*, stopping=False):
    return SimpleNamespace(numprocesses=1, is_stopping=lambda: stopping, is_stopped=lambda: False)


def series(folder):
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(folder))
    return {sample.name: sample.value for family in registry.collect() for sample in family.samples}


def test_a_death_is_logged_and_counted_and_its_gauges_go(tmp_path, caplog):
    gauge = MultiProcessValue(lambda: 4711)("gauge", "busy", "busy", [], [], "", multiprocess_mode="livesum")
    gauge.set(3)
    record = DeathRecord(tmp_path, SupervisorMetrics(tmp_path))
    assert series(tmp_path) == {"busy": 3, "sentiment_worker_deaths_total": 0}
    record(watcher=watcher(), arbiter=None, process_pid=4711, exit_code=-9, process_status=2, time=0)
    assert series(tmp_path) == {"sentiment_worker_deaths_total": 1}
    assert caplog.messages == ["worker 4711 died (killed by SIGKILL); another one is started"]


def test_an_end_that_was_asked_for_is_no_death(tmp_path, caplog):
    record = DeathRecord(tmp_path, SupervisorMetrics(tmp_path))
    record(watcher=watcher(stopping=True), arbiter=None, process_pid=4711, exit_code=0)
    assert series(tmp_path) == {"sentiment_worker_deaths_total": 0}
    assert caplog.messages == []


def test_a_service_whose_workers_fail_one_after_the_other_ends(tmp_path, caplog):
    caplog.set_level(logging.CRITICAL)
    asked = []
    arbiter = SimpleNamespace(loop=SimpleNamespace(add_callback=asked.append), give_up="give up")
    record = DeathRecord(tmp_path, SupervisorMetrics(tmp_path))
    for _ in range(MAX_FAILURES - 1):
        record(watcher=watcher(), arbiter=arbiter, process_pid=1, exit_code=3)
        record(watcher=watcher(), arbiter=arbiter, process_pid=1, exit_code=-9)  # killed, which is not its failure
    assert asked == []
    record(watcher=watcher(), arbiter=arbiter, process_pid=1, exit_code=3)
    assert asked == ["give up"]
    assert f"workers failed {MAX_FAILURES} times" in caplog.text
