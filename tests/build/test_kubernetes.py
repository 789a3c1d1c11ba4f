"""The chart renders objects that Kubernetes accepts and that fit the service."""

import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from prometheus_client import REGISTRY

import model_store
from model_store.score_command import score
from service.endpoints import UNLISTED
from service.monitoring import metrics
from service.routes import TABLE
from service.settings import PREFIX, Settings
from tests.support.paths import ROOT

kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="pip install -e '.[dev]' has it")

CHART = ROOT / "deploy" / "helm" / "sentiment"
MANIFESTS = ROOT / "deploy" / "kubernetes"
HELM = shutil.which("helm", path=str(Path(sys.executable).parent)) or shutil.which("helm")
VALUES = {path.stem: path for path in sorted((CHART / "examples").glob("*.yaml"))}
KUBERNETES = ("1.29", "1.33", "1.37")
FOREIGN = {"ServiceMonitor", "PrometheusRule", "InferenceService", "PyTorchJob", "RayJob"}
"""Kinds that operators define; Kubernetes has no schema of them."""

pytestmark = pytest.mark.skipif(HELM is None, reason="helm is not installed; the package helm-binary has it for Linux")


def helm(*arguments):
    return subprocess.run([HELM, *map(str, arguments)], capture_output=True, text=True, check=False)  # noqa: S603


def render(name, *options):
    files = ["--values", VALUES[name]] if name in VALUES else []
    done = helm("template", "sentiment", CHART, *files, *options)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def pods(documents):
    """The pod of every object that has one, in whatever depth."""
    for document in documents:
        waiting = [document]
        while waiting:
            part = waiting.pop()
            if "containers" in part:
                yield document, part
            waiting += [value for value in part.values() if isinstance(value, dict)]


@pytest.fixture(params=["default", *VALUES])
def documents(request):
    return render(request.param)


def test_helm_has_no_objection():
    assert helm("lint", "--strict", CHART).returncode == 0


def test_kubernetes_accepts_every_object(documents):
    for document in documents:
        if document["kind"] not in FOREIGN:
            for version in KUBERNETES:
                kubernetes_validate.validate(document, version, strict=True)


def test_kubernetes_accepts_the_pods_in_objects_of_operators():
    seen = set()
    for name in ("jobs", "kserve"):
        for document, pod in pods(render(name)):
            if document["kind"] in FOREIGN:
                seen.add(document["kind"])
                fields = {key: value for key, value in pod.items() if key not in {"minReplicas", "maxReplicas"}}
                kubernetes_validate.validate(
                    {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"}, "spec": fields},
                    KUBERNETES[-1],
                    strict=True,
                )
    assert seen == {"InferenceService", "PyTorchJob", "RayJob"}


def test_the_plain_manifests_are_what_the_chart_renders():
    for name in ("default", *VALUES):
        written = yaml.safe_load_all((MANIFESTS / f"{name}.yaml").read_text())
        assert [document for document in written if document] == render(name), "run make manifests"


def test_every_pod_is_locked_down(documents):
    seen = 0
    for document, pod in pods(documents):
        security = pod["securityContext"]
        assert (security["runAsNonRoot"], security["seccompProfile"]) == (True, {"type": "RuntimeDefault"})
        assert pod["automountServiceAccountToken"] is False, document["kind"]
        for container in pod["containers"]:
            seen += 1
            assert container["securityContext"] == {
                "readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]},
            }  # fmt: skip
            assert {"cpu", "memory"} <= container["resources"]["requests"].keys()
            assert "memory" in container["resources"]["limits"]
            assert "tmp" in {mount["name"] for mount in container["volumeMounts"]}
    assert seen


def test_probes_and_scrapes_ask_paths_that_exist_and_need_no_key():
    documents = render("production")
    ((_, pod),) = [(document, pod) for document, pod in pods(documents) if document["kind"] == "Deployment"]
    (container,) = pod["containers"]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        endpoint = TABLE.at(container[probe]["httpGet"]["path"])
        assert endpoint is not UNLISTED
        assert not endpoint.needs_key
    (monitor,) = [document for document in documents if document["kind"] == "ServiceMonitor"]
    (scraped,) = monitor["spec"]["endpoints"]
    assert TABLE.at(scraped["path"]) is not UNLISTED
    assert scraped["authorization"]["credentials"] == {"name": "sentiment-api-keys", "key": "metrics-key"}


def test_every_environment_variable_is_a_setting(documents):
    names = {
        variable["name"]
        for _, pod in pods(documents)
        for container in pod["containers"]
        for variable in container["env"]
        if variable["name"].startswith(PREFIX)
    }
    assert names <= {PREFIX + name.upper() for name in Settings.model_fields}


def test_the_pods_may_take_as_long_to_stop_as_the_service_may_need():
    ((_, pod),) = pods(render("default"))
    (container,) = pod["containers"]
    drain = float({variable["name"]: variable for variable in container["env"]}["SENTIMENT_DRAIN_SECONDS"]["value"])
    assert pod["terminationGracePeriodSeconds"] > drain + Settings().grace_seconds + 10  # then workers are killed
    assert container["readinessProbe"]["periodSeconds"] < drain


def test_scaling_follows_a_metric_that_the_service_exports():
    (scaler,) = [document for document in render("production") if document["kind"] == "HorizontalPodAutoscaler"]
    custom = [metric["pods"]["metric"]["name"] for metric in scaler["spec"]["metrics"] if metric["type"] == "Pods"]
    assert custom == [metrics.IN_FLIGHT.describe()[0].name]
    assert set(custom) <= {family.name for family in REGISTRY.collect()}


def test_the_alerts_are_those_of_prometheus_alone():
    (rules,) = [document for document in render("production") if document["kind"] == "PrometheusRule"]
    assert rules["spec"] == yaml.safe_load((ROOT / "deploy" / "prometheus-rules.yml").read_text())


def test_the_network_policy_allows_the_port_of_the_service_and_nothing_outward():
    documents = {document["kind"]: document for document in render("default")}
    policy = documents["NetworkPolicy"]["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert policy["egress"] == []
    assert [port["port"] for rule in policy["ingress"] for port in rule["ports"]] == ["http"]
    labels = documents["Deployment"]["spec"]["template"]["metadata"]["labels"]
    for selector in (policy["podSelector"]["matchLabels"], documents["Service"]["spec"]["selector"]):
        assert selector.items() <= labels.items()


def test_each_part_of_a_scoring_job_reads_and_writes_its_own_file():
    (job,) = [document for document in render("jobs") if document["metadata"]["name"] == "sentiment-score"]
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert job["spec"]["completionMode"] == "Indexed"
    assert "data/parts/$(JOB_COMPLETION_INDEX).parquet" in container["args"]
    assert "scored/$(JOB_COMPLETION_INDEX).parquet" in container["args"]


def test_a_ray_job_computes_on_its_nodes_with_the_version_of_ray_that_is_tested():
    (job,) = [document for document in render("jobs") if document["kind"] == "RayJob"]
    cluster = job["spec"]["rayClusterSpec"]
    assert f"ray=={cluster['rayVersion']}" in (ROOT / "constraints.txt").read_text().splitlines()
    assert cluster["headGroupSpec"]["rayStartParams"] == {"num-cpus": "0"}
    assert [group["replicas"] for group in cluster["workerGroupSpecs"]] == [3]
    words = shlex.split(job["spec"]["entrypoint"])
    assert words[:4] == ["python", "-m", "model_store", "score"]
    command = score.make_context("score", [str(ROOT / "README.md"), *words[5:]])  # in place of a pattern of names
    assert command.params["on_ray"] is True


def test_gpu_nodes_and_processes_agree():
    (job,) = [document for document in render("jobs") if document["kind"] == "PyTorchJob"]
    replicas = job["spec"]["pytorchReplicaSpecs"]
    (container,) = replicas["Master"]["template"]["spec"]["containers"]
    assert container["name"] == "pytorch"  # as Kubeflow requires
    assert replicas["Master"]["replicas"] + replicas["Worker"]["replicas"] == 2
    assert container["args"][-2:] == ["--trainer.num_nodes=2", "--trainer.devices=1"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--set", "replica=3"], "replica"),
        (["--set", "model.path=reviews"], "model.path needs model.volume"),
        (["--set", "jobs.train.enabled=true"], "jobs.train needs arguments"),
        (["--set", "jobs.ray.enabled=true,jobs.volume.emptyDir.medium="], "jobs.ray needs entrypoint"),
        (["--set", "jobs.score.enabled=true", "--set", "jobs.score.arguments={x}"], "jobs.score needs jobs.volume"),
        (["--set", "image.digest=latest"], "digest"),
    ],
)
def test_a_wrong_value_is_refused_with_its_name(options, message):
    done = helm("template", "sentiment", CHART, *options)
    assert done.returncode != 0
    assert message in done.stderr


def test_the_chart_states_the_version_of_the_software():
    assert yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"] == model_store.__version__


def test_the_schema_knows_every_value():
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert values.keys() <= schema["properties"].keys()
    assert values["jobs"].keys() == schema["properties"]["jobs"]["properties"].keys()
