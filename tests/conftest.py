"""Fixtures of several folders, and the markers that say what a test starts."""

import os
import signal
import tempfile
from pathlib import Path

import pytest
import pytorch_lightning as lightning
from hypothesis import settings

from model_store import SentimentModel
from model_store import bundle as bundles
from model_store.manifest import Arithmetic, Calibration, LabelChoice, Training
from tests.support.paths import SAMPLE
from tests.support.server import StartServer, running
from training.data import tokenization
from training.data.readers import read_examples
from training.evaluation.polarity import default_polarities
from training.export.bundle import Description, make_manifest
from training.export.onnx_graph import build_graph
from training.fit.task import SentimentTask

# Set before the first import of prometheus_client, as `bentoml serve` does for its workers.
os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="sentiment-metrics-")

os.environ.setdefault("BENTOML_DO_NOT_TRACK", "true")

# A shell lets its background jobs ignore SIGINT, and so would what the tests start and then interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("no deadline", deadline=None)  # how long an example takes depends on the machine
settings.load_profile("no deadline")

MARKERS = {
    "start_server": ("server",),
    "browser": ("browser",),
    "real_data": ("data", "slow"),
    "findings": ("slow",),  # every experiment of the lecture
}
"""Fixture to the markers of the tests that use it, directly or through another fixture."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that start a server or a browser, or read real data, by their fixtures.

    The tests of a folder that start servers run in one process, so that a shared server starts once.
    """
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        for fixture, markers in MARKERS.items():
            for marker in markers if fixture in fixtures else ():
                item.add_marker(marker)
        if item.get_closest_marker("server") and not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(item.path.parent.name))


@pytest.fixture(scope="session")
def start_server(tmp_path_factory: pytest.TempPathFactory) -> StartServer:
    """``running`` with a folder of its own: ``with start_server(model=..., threads=1) as server``."""
    return lambda **options: running(tmp_path_factory.mktemp("server"), **options)


@pytest.fixture(scope="session")
def sample_texts() -> list[str]:
    """The training sentences of the repository's own sample."""
    return [example.text for example in read_examples(SAMPLE / "train.csv")]


@pytest.fixture(scope="session")
def tiny_task(sample_texts: list[str]) -> SentimentTask:
    """An untrained two-layer bidirectional LSTM over the sample's words."""
    lightning.seed_everything(7)
    words = sorted(tokenization.count_words(sample_texts))
    return SentimentTask(
        ["negative", "neutral", "positive"],
        tokenization.word_pipeline(words).to_str(),
        embedding_size=16,
        hidden_size=12,
        pooling=["max", "mean"],
    ).eval()


@pytest.fixture(scope="session")
def tiny_bundle(tiny_task: SentimentTask, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The network of ``tiny_task`` as a bundle. A test that changes it copies it first."""
    folder = tmp_path_factory.mktemp("bundles") / "tiny"
    _write_tiny_bundle(folder, tiny_task, Calibration(temperature=1.5, data=None, rows=0))
    return folder


@pytest.fixture(scope="session")
def sure_bundle(tiny_task: SentimentTask, tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a threshold between the scores of "cold soup" and "fine"."""
    folder = tmp_path_factory.mktemp("bundles") / "sure"
    scores = [answer.score for answer in SentimentModel.load(tiny_bundle).predict(["cold soup", "fine"])]
    calibration = Calibration(
        temperature=1.5,
        data="some/texts.csv",
        rows=60,
        threshold=sum(scores) / 2,
        target_accuracy=0.95,
        max_unknown_share=0.3,
    )
    _write_tiny_bundle(folder, tiny_task, calibration)
    return folder


@pytest.fixture(scope="session")
def multi_label_bundle(tiny_task: SentimentTask, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same network as a model that gives any number of labels: of the first two often, of the last one never."""
    folder = tmp_path_factory.mktemp("bundles") / "multi-label"
    choices = {"negative": (0.45, -0.1), "neutral": (0.5, 0.2), "positive": (0.9999, 0.0)}
    multi_label = {name: LabelChoice(threshold=threshold, shift=shift) for name, (threshold, shift) in choices.items()}
    _write_tiny_bundle(folder, tiny_task, Calibration(temperature=1.5, data=None, rows=0), multi_label=multi_label)
    return folder


@pytest.fixture(scope="session")
def tiny_8_bit_bundle(tiny_task: SentimentTask, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same network with 8-bit arithmetic."""
    folder = tmp_path_factory.mktemp("bundles") / "tiny-8-bit"
    _write_tiny_bundle(folder, tiny_task, Calibration(temperature=1.5, data=None, rows=0), arithmetic="int8")
    return folder


def _write_tiny_bundle(
    folder: Path,
    task: SentimentTask,
    calibration: Calibration,
    *,
    arithmetic: Arithmetic = "float32",
    multi_label: dict[str, LabelChoice] | None = None,
) -> None:
    graph = build_graph(task.network, arithmetic=arithmetic)
    files = {bundles.TOKENIZER: task.tokenizer_json.encode(), bundles.GRAPH: graph}
    text = "An untrained model for tests."
    manifest = make_manifest(
        task,
        description=Description(name="tiny", version="1", text=text, max_tokens=400, arithmetic=arithmetic),
        calibration=calibration,
        multi_label=multi_label,
        polarities=default_polarities(task.labels) if multi_label is None else dict.fromkeys(task.labels),
        training=Training(command=None, files=[], epochs=0, seed=7, sources=[]),
        libraries={},
        files=files,
    )
    bundles.write(folder, manifest, files)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data named by SENTIMENT_DATA; a test that needs it is skipped without it."""
    folder = os.environ.get("SENTIMENT_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("SENTIMENT_DATA names no folder of real data")
    return Path(folder)
