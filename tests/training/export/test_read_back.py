"""A bundle's weights, read back from its graph."""

import itertools

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch.testing import assert_close

from model_store import BundleError
from model_store import bundle as bundles
from tests.support.bundles import bundle_of
from training.data import tokenization
from training.export.read_back import load_start, network_options, read_back, storage_of
from training.fit.task import SentimentTask

LABELS = ["bad", "fine", "good"]
TEXTS = torch.nn.utils.rnn.pack_sequence([torch.tensor([2, 3, 4, 2]), torch.tensor([5, 1])])


def new_task(**options):
    torch.manual_seed(4)
    pipeline = tokenization.word_pipeline(["cold", "warm", "tea", "soup"]).to_str()
    return SentimentTask(LABELS, pipeline, **{"embedding_size": 6, "hidden_size": 5, "layers": 2, **options}).eval()


NETWORKS = {
    "plain lstm": {"connection": "none"},
    "gru with attention": {"cell": "gru", "pooling": ["attention", "max"]},
    "forward rnn": {"cell": "rnn", "bidirectional": False, "pooling": ["last"]},
    "projected highway": {"connection": "highway", "projection_size": 10, "layers": 3, "layer_norm": True},
    "dense": {"connection": "dense", "layer_norm": True, "layers": 3},
    "residual": {"pooling": ["max", "mean", "attention"]},
}


@pytest.mark.parametrize(("network", "storage"), list(itertools.product(NETWORKS, ["float32", "float16", "int8"])))
def test_every_weight_comes_back(tmp_path, network, storage):
    task = new_task(**NETWORKS[network])
    found = read_back(bundle_of(task, tmp_path / "bundle", storage=storage)).task
    expected = task.state_dict()
    assert found.state_dict().keys() == expected.keys()
    for name, values in found.state_dict().items():
        assert_close(values, expected[name], rtol=1e-6, atol=1e-7, msg=name)
    assert_close(found.network(TEXTS), task.network(TEXTS))
    assert network_options(found) == network_options(task)


def test_a_bundle_that_computes_in_8_bits_gives_the_weights_it_was_rounded_to(tmp_path):
    task = new_task(pooling=["max", "mean", "attention"])
    bundle = bundle_of(task, tmp_path / "bundle", storage="int8", arithmetic="int8")
    assert_close(read_back(bundle).task.network(TEXTS), task.network(TEXTS))
    assert storage_of(bundle) == "int8"


def test_a_frozen_embedding_comes_back_with_its_codes(tmp_path):
    vectors = torch.randn(6, 6, generator=torch.Generator().manual_seed(2))
    task = new_task(vectors=vectors, freeze_embedding=True)
    found = read_back(bundle_of(task, tmp_path / "bundle")).task
    assert torch.equal(found.network.embedding.codes, task.network.embedding.codes)
    assert torch.equal(found.network.embedding.scales, task.network.embedding.scales)


def test_the_origin_is_that_of_the_bundle(tmp_path):
    origin = read_back(bundle_of(new_task(), tmp_path / "bundle")).origin()
    assert (origin["epochs"], origin["seed"], origin["sources"]) == (3, 7, ["A source."])
    assert origin["bundle"] == "tiny 1"


def with_changed_head(bundle):
    """The bundle with another bias than its graph was made with: written again, so that the hashes are right."""
    model = onnx.load_from_string(bundle.graph)
    head = next(weight for weight in model.graph.initializer if weight.name.startswith("head.bias"))
    nodes = [node for node in model.graph.node if head.name in node.input]
    head.CopyFrom(numpy_helper.from_array(np.zeros(3, dtype=np.float32), head.name))
    extra = numpy_helper.from_array(np.ones(3, dtype=np.float32), "hidden.99")
    model.graph.initializer.append(extra)
    for node in nodes:
        node.input[list(node.input).index(head.name)] = "hidden.99"
    files = {bundles.TOKENIZER: bundle.tokenizer, bundles.GRAPH: model.SerializeToString()}
    manifest = bundle.manifest.replace(files=bundles.hashes(files))
    bundles.write(bundle.path, manifest, files, overwrite=True)
    return bundles.read(bundle.path)


def test_a_graph_that_answers_otherwise_than_its_weights_is_refused(tmp_path):
    bundle = with_changed_head(bundle_of(new_task(), tmp_path / "bundle"))
    with pytest.raises(BundleError, match=r"model\.onnx.*(does not hold|do not give its answers)"):
        read_back(bundle)


@pytest.mark.slow
def test_the_shipped_bundle_answers_as_its_weights_do():
    checkpoint = load_start("default")
    assert checkpoint.task.labels == ["negative", "neutral", "positive"]
    pooled = 3 * bundles.read(bundles.DEFAULT).manifest.architecture.representation_size  # maximum, mean, attention
    assert checkpoint.task.network.head.in_features == pooled
