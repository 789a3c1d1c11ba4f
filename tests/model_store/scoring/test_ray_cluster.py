"""A Ray cluster of two nodes, which are processes of this machine: the bytes of one process, whatever happens."""

import csv
import gzip

import psutil
import pytest

from model_store.scoring.job import score_files
from model_store.scoring.records import ScoreError

ray = pytest.importorskip("ray", reason="pip install -e '.[ray]' has it: 270 MB that no other test needs")
cluster_utils = pytest.importorskip("ray.cluster_utils")
ray_cluster = pytest.importorskip("model_store.scoring.ray_cluster")

ROWS = {"first": 20_000, "second": 10_000, "third": 10}

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("ray")]


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ray")
    for name, rows in ROWS.items():
        with (folder / f"{name}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["id", "text"])
            writer.writerows((row, "" if row % 1000 == 7 else f"soup {row} is fine") for row in range(rows))
    return [folder / f"{name}.csv" for name in ROWS]


@pytest.fixture(scope="module")
def cluster():
    nodes = cluster_utils.Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": 10**8, "include_dashboard": False}
    )
    ray.init(address=nodes.address, log_to_driver=False)
    yield nodes
    ray.shutdown()
    nodes.shutdown()


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def expected(sources, tiny_8_bit_bundle, tmp_path_factory):
    """What one process writes."""
    folder = tmp_path_factory.mktemp("one")
    score_files({source: folder / source.name for source in sources}, model=tiny_8_bit_bundle, workers=1)
    return contents(folder)


def computes(node):
    """Whether a node has a process that scores."""
    raylet = psutil.Process(node.all_processes["raylet"][0].process.pid)
    return any("_Actor" in " ".join(child.cmdline()) for child in raylet.children())


def test_a_node_that_is_killed_changes_nothing(cluster, sources, expected, tiny_8_bit_bundle, tmp_path):
    node = cluster.add_node(num_cpus=1, object_store_memory=10**8)
    killed_after = []
    seen = 0

    def kill_one(_rows, share):
        nonlocal seen
        seen += share
        if not killed_after and computes(node):
            cluster.remove_node(node, allow_graceful=False)
            killed_after.append(seen)

    outputs = {source: tmp_path / source.name for source in sources}
    reports = score_files(outputs, model=tiny_8_bit_bundle, compute=ray_cluster.score_on_ray, watch=kill_one)
    assert 0 < killed_after[0] < 1
    assert seen == pytest.approx(1)
    assert [report.rows + report.bad for report in reports] == list(ROWS.values())
    assert contents(tmp_path) == expected


@pytest.mark.usefixtures("cluster")
def test_a_run_that_is_broken_off_continues_with_the_parts_that_are_left(
    sources, expected, tiny_8_bit_bundle, tmp_path
):
    def stop(_rows, _share):
        raise KeyboardInterrupt

    outputs = {source: tmp_path / source.name for source in sources}
    with pytest.raises(KeyboardInterrupt):
        score_files(outputs, model=tiny_8_bit_bundle, compute=ray_cluster.score_on_ray, watch=stop)
    reports = score_files(outputs, model=tiny_8_bit_bundle, compute=ray_cluster.score_on_ray)
    assert sum(report.kept_parts for report in reports) >= 1
    assert contents(tmp_path) == expected


@pytest.mark.usefixtures("cluster")
def test_what_is_wrong_with_an_input_is_told_in_the_words_of_one_machine(tiny_8_bit_bundle, tmp_path):
    source = tmp_path / "in.csv.gz"
    source.write_bytes(gzip.compress(b"text\n" + b"fine soup\n" * 9000)[:-20])
    with pytest.raises(ScoreError, match=f"^{source}: .*damaged or cut short"):
        score_files({source: tmp_path / "out.csv"}, model=tiny_8_bit_bundle, compute=ray_cluster.score_on_ray)
