"""Reads a bundle's weights back into a task, so that a bundle can be trained again.

8-bit codes and 16-bit numbers are widened to 32 bits. Nothing but the bundle is needed: the weights and the options
that the manifest does not have, such as layer norm, are in the graph, under the names that ``onnx_graph`` gives them.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from model_store import BundleError
from model_store import bundle as bundles
from model_store.bundle import Bundle
from model_store.manifest import Architecture
from training.data.examples import Example
from training.export.bundle import ParityError, check_parity, check_rounding, random_batches, real_batches
from training.export.storage import Storage
from training.fit.checkpoint import Checkpoint, load_checkpoint
from training.fit.task import SentimentTask
from training.network.cells import Cell, get_cell
from training.network.options import EncoderOptions

STORED_TRANSPOSED = ("linear.weight", "attention", "head.weight")
"""Matrices that a graph has as (columns, rows) if it stores them in 32 bits."""

CONSTANTS = ("axis", "range", "integers", "number", "one", "zero")
"""Names of constants that are not weights."""

Values = NDArray[Any]

_WIDTHS: dict[int, Storage] = {TensorProto.INT8: "int8", TensorProto.FLOAT16: "float16", TensorProto.FLOAT: "float32"}


def load_start(name: str | Path, *, texts: Sequence[Example] = ()) -> Checkpoint:
    """The weights to start from: a checkpoint if ``name`` is a file, otherwise a bundle.

    Args:
        name: a checkpoint, a bundle's folder, or "default".
        texts: on which a bundle's weights are checked against its own answers; random tokens if there are none.

    Raises:
        BundleError: the bundle cannot be used, or its weights do not give its answers.
        CheckpointError: the file is not a checkpoint of this project.
    """
    path = Path(name)
    if path.is_file() or path.suffix == ".ckpt":
        return load_checkpoint(path)
    return read_back(bundles.read(bundles.resolve(name)), texts=texts)


def read_back(bundle: Bundle, *, texts: Sequence[Example] = ()) -> Checkpoint:
    """A bundle's weights, checked against its own answers, and their origin.

    Raises:
        BundleError: the graph is not one of this project, or its weights do not give its answers.
    """
    task = task_of(bundle)
    batches = real_batches(task, texts) if texts else random_batches(task)
    check = check_rounding if bundle.manifest.arithmetic == "int8" else check_parity
    try:
        check(task, bundle.graph, batches)
    except ParityError as error:
        raise BundleError(
            bundle.path / bundles.GRAPH, f"its weights, read back, do not give its answers: {error}"
        ) from error
    training = bundle.manifest.training.model_dump(mode="json")
    return Checkpoint(
        task=task,
        data_options={"sources": training["sources"]},
        files=training["files"],
        epochs=training["epochs"],
        run={
            **{name: training[name] for name in ("command", "seed", "seconds", "machine")},
            "bundle": f"{bundle.manifest.name} {bundle.manifest.version}",
            "began_with": training["initialized_from"],
        },
    )


def storage_of(bundle: Bundle) -> Storage:
    """How the bundle stores the weight matrices that only the head has."""
    weights = onnx.load_from_string(bundle.graph).graph.initializer
    return next(_WIDTHS[weight.data_type] for weight in weights if weight.name.startswith("head.weight."))


def network_options(task: SentimentTask) -> dict[str, object]:
    """The options that another task of the same network has to be made with, by name."""
    names = (*EncoderOptions.__dataclass_fields__, "embedding_size", "pooling", "projection_size")
    return {name: task.hparams[name] for name in names}


def task_of(bundle: Bundle) -> SentimentTask:
    """A task with a bundle's weights, not checked yet.

    Raises:
        BundleError: the graph is not one of this project.
    """
    try:
        return _task(bundle)
    except (KeyError, StopIteration, RuntimeError, ValueError) as error:
        # A graph that another program made, or an older release, may lack any weight or have it in another shape.
        first = next(iter(str(error).splitlines()), type(error).__name__)
        message = f"does not hold the weights that its manifest describes ({first})"
        raise BundleError(bundle.path / bundles.GRAPH, message) from error


def _task(bundle: Bundle) -> SentimentTask:
    manifest = bundle.manifest
    shape = manifest.architecture
    weights = list(_weights(bundle.graph))
    names = [name for name, _ in weights]
    first_layer = next(position for position, name in enumerate(names) if name.endswith(".B"))
    projected = [values for name, values in weights[:first_layer] if name == "linear.bias"]
    task = SentimentTask(
        list(manifest.label_names),
        bundle.tokenizer.decode(),
        multi_label=manifest.multi_label is not None,
        embedding_size=shape.embedding_size,
        freeze_embedding="embedding.codes" in names,
        pooling=list(shape.pooling),
        projection_size=len(projected[0]) if projected else 0,
        encoder=EncoderOptions(
            cell=shape.cell,
            layers=shape.layers,
            hidden_size=shape.hidden_size,
            bidirectional=shape.bidirectional,
            connection=shape.connection,
            layer_norm="norm.weight" in names,
        ),
    )
    state = {f"network.{name}": torch.from_numpy(values.copy()) for name, values in _placed(weights, shape)}
    task.load_state_dict(state)
    return task.eval()


def _placed(weights: Sequence[tuple[str, Values]], shape: Architecture) -> Iterator[tuple[str, Values]]:
    """Each weight under its name in the network, from those of the graph in their order."""
    cell, layer = get_cell(shape.cell), -1
    attention = next((index for index, name in enumerate(shape.pooling) if name == "attention"), 0)
    for name, values in weights:
        kind, _, part = name.partition(".")
        if kind in {"embedding", "head"}:
            yield name, values
        elif kind == "attention":
            yield f"pooling.poolings.{attention}.score.weight", values
        elif kind == "linear":
            place = "projection" if layer < 0 else f"encoder.connections.{layer}.gate"
            yield f"{place}.{part}", values
        elif kind == "norm":  # before its layer's own weights
            yield f"encoder.norms.{layer + 1}.{part}", values
        elif kind == cell.onnx_operator.lower():
            layer += part == "B"  # the first of a layer's weights
            yield from _recurrent(part, values, layer=layer, cell=cell)


def _recurrent(part: str, values: Values, *, layer: int, cell: Cell) -> Iterator[tuple[str, Values]]:
    """One of an ONNX operator's weights as torch has it: a tensor a direction, its gates in torch's order."""
    for direction, suffix in zip(values, ("_l0", "_l0_reverse")[: len(values)], strict=True):
        parts = {"W": ["weight_ih"], "R": ["weight_hh"], "B": ["bias_ih", "bias_hh"]}[part]
        for name, rows in zip(parts, np.split(direction, len(parts)), strict=True):
            gates = dict(zip(cell.onnx_gate_order, np.split(rows, len(cell.gates)), strict=True))
            ordered = np.concatenate([gates[index] for index in range(len(cell.gates))])
            yield f"encoder.layers.{layer}.{name}{suffix}", ordered


def _weights(graph: bytes) -> Iterator[tuple[str, Values]]:
    """Name, without its number, and widened values of each weight of a graph, in the network's own layout."""
    tensors = onnx.load_from_string(graph).graph.initializer
    stored: dict[str, list[Values]] = {}
    for tensor in tensors:
        stored.setdefault(tensor.name.rpartition(".")[0], []).append(numpy_helper.to_array(tensor))
    if "embedding.codes" in stored:
        yield "embedding.codes", stored.pop("embedding.codes")[0]
        yield "embedding.scales", stored.pop("embedding.scales")[0]
    positions = dict.fromkeys(stored, 0)
    for tensor in tensors:
        name = tensor.name.rpartition(".")[0]
        if name not in stored or name in CONSTANTS or name.endswith((".scales", ".zeros")):
            continue
        index, scales = positions[name], stored.get(f"{name}.scales")
        positions[name] += 1
        yield (
            name,
            _widened(
                name,
                stored[name][index],
                scales=None if scales is None else scales[index],
                columns_first=f"{name}.zeros" in stored,
            ),
        )


def _widened(name: str, values: Values, *, scales: Values | None, columns_first: bool) -> Values:
    """A weight in 32 bits, as (..., rows, columns); the codes of a frozen embedding stay codes."""
    if scales is not None and columns_first:  # the layout of ``DynamicQuantizeLSTM``
        return values.swapaxes(1, 2).astype(np.float32) * scales[..., np.newaxis]
    if scales is not None:
        return values.astype(np.float32) * scales
    if values.dtype == np.float32 and name in STORED_TRANSPOSED:
        return values.T
    return values.astype(np.float32) if values.dtype == np.float16 else values
