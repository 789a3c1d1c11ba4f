"""Transformers of well-known sizes with random weights: for speed alone, which does not depend on what weights are."""

import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.transformers.optimizer import optimize_model
from torch import Tensor, nn
from transformers import BertConfig, BertForSequenceClassification

Ids = NDArray[np.int64]
Classify = Callable[[Ids], object]
"""From (texts, tokens) ids without padding to logits."""

VOCABULARY = 30_522


@dataclass(frozen=True, slots=True)
class Size:
    """An encoder of BERT's kind.

    Attributes:
        name: in tables.
        hidden_size, layers, heads: as usual; the inner layer has four times the hidden size.
    """

    name: str
    hidden_size: int
    layers: int
    heads: int = 12


SIZES = (Size("DistilBERT-sized", 768, 6), Size("MiniLM-sized", 384, 6))


class Classifier(nn.Module):
    """From ids and a mask to logits."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        torch.manual_seed(0)
        config = BertConfig(
            vocab_size=VOCABULARY,
            hidden_size=size.hidden_size,
            num_hidden_layers=size.layers,
            num_attention_heads=size.heads,
            intermediate_size=4 * size.hidden_size,
        )
        config.num_labels = 3
        self.network = BertForSequenceClassification(config)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """(texts, tokens) ids and mask to (texts, labels) logits."""
        logits: Tensor = self.network(input_ids=ids, attention_mask=mask).logits
        return logits


def contestants(size: Size) -> Iterator[tuple[str, Classify]]:
    """The size in torch and ONNX Runtime, in 32 and 8 bits, each with one thread and its fused attention."""
    classifier = Classifier(size).eval()
    yield f"{size.name}, torch 32 bits", _in_torch(classifier)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch announces another module for it
        quantized = torch.ao.quantization.quantize_dynamic(classifier, {nn.Linear}, dtype=torch.qint8)
    yield f"{size.name}, torch 8 bits", _in_torch(quantized)
    with tempfile.TemporaryDirectory() as folder:
        for name, graph in _graphs(classifier, size, Path(folder)):
            yield f"{size.name}, ONNX Runtime {name}", _in_onnxruntime(graph)


def _in_torch(classifier: nn.Module) -> Classify:
    def classify(ids: Ids) -> object:
        tensor = torch.from_numpy(ids)
        with torch.inference_mode():
            return classifier(tensor, torch.ones_like(tensor))

    return classify


def one_thread(graph: Path | bytes) -> onnxruntime.InferenceSession:
    """A graph that runs on one processor thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def _in_onnxruntime(graph: Path) -> Classify:
    session = one_thread(graph)

    def classify(ids: Ids) -> object:
        return session.run(None, {"ids": ids, "mask": np.ones_like(ids)})

    return classify


def _graphs(classifier: nn.Module, size: Size, folder: Path) -> Iterator[tuple[str, Path]]:
    """The graph with ONNX Runtime's fusions for transformers, and the same with 8-bit products of matrices."""
    plain, fused, quantized = (folder / name for name in ("plain.onnx", "fused.onnx", "quantized.onnx"))
    ids = torch.ones((2, 8), dtype=torch.int64)
    axes = {name: {0: "texts", 1: "tokens"} for name in ("ids", "mask")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter is deprecated; the new one needs one more package
        torch.onnx.export(
            classifier,
            (ids, ids),
            str(plain),
            input_names=list(axes),
            output_names=["logits"],
            dynamic_axes=axes,
            opset_version=17,
            dynamo=False,
        )
    optimized = optimize_model(str(plain), model_type="bert", num_heads=size.heads, hidden_size=size.hidden_size)
    optimized.save_model_to_file(str(fused))
    yield "32 bits", fused
    logging.disable(logging.WARNING)  # it advises a step that the optimizer has done
    quantize_dynamic(
        fused, quantized, weight_type=QuantType.QInt8, extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT}
    )
    logging.disable(logging.NOTSET)
    yield "8 bits", quantized
