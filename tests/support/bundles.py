"""Bundles of tasks that were never trained."""

from model_store import bundle as bundles
from model_store.manifest import Calibration, Training
from training.evaluation.polarity import default_polarities
from training.export.bundle import Description, make_manifest
from training.export.onnx_graph import build_graph
from training.export.quantization import quantize_weights


def bundle_of(task, folder, *, storage="float32", arithmetic="float32"):
    """A bundle of a task, whose weights are rounded in place, without calibration; the format's least content."""
    quantize_weights(task.network, storage, arithmetic=arithmetic)
    graph = build_graph(task.network, storage=storage, arithmetic=arithmetic)
    files = {bundles.TOKENIZER: task.tokenizer_json.encode(), bundles.GRAPH: graph}
    manifest = make_manifest(
        task,
        description=Description("tiny", "1", "A tiny bundle.", max_tokens=50, arithmetic=arithmetic),
        calibration=Calibration(temperature=1.0, data=None, rows=0),
        polarities=default_polarities(task.labels),
        training=Training(command=None, files=[], epochs=3, seed=7, sources=["A source."]),
        libraries={},
        files=files,
    )
    bundles.write(folder, manifest, files)
    return bundles.read(folder)
