"""Rounds a network's weights to what a bundle stores and multiplies: 32 bits, 16 bits, or 8-bit codes with scales.

Storage changes the size of the file and not the arithmetic: the graph widens the weights once, when it is loaded, and
computes in 32 bits. Arithmetic in 8 bits is a separate choice: weights stay codes, activations are quantized too, and
products accumulate in int32. Either way the network is rounded before it is measured.
"""

from typing import get_args

import torch
from torch import Tensor, nn

from model_store.manifest import Arithmetic
from training.export.storage import Storage
from training.network.cells import CELLS, RecurrentLayer, cell_of
from training.network.quantization import dequantize, quantize_rows
from training.network.validation import OptionError, check_choice

MAX_FACTOR_CODE = 63
"""The largest code of a matrix that is multiplied in 8 bits.

Processors without VNNI instructions add two products of an unsigned and a signed byte in 16 bits, and saturate.
2 * 255 * 63 fits into 16 bits, so no processor saturates.
"""


def quantize_weights(network: nn.Module, storage: Storage, *, arithmetic: Arithmetic = "float32") -> None:
    """Round every weight matrix, in place, to numbers that the bundle can hold; vectors (biases, norms) stay exact.

    Raises:
        OptionError: the storage or the arithmetic does not exist, or the network's cells have no 8-bit arithmetic.
    """
    check_choice("storage", storage, choices=get_args(Storage))
    check_choice("arithmetic", arithmetic, choices=get_args(Arithmetic))
    factors = _int8_matrices(network) if arithmetic == "int8" else set()
    with torch.no_grad():
        for parameter in network.parameters():
            if id(parameter) in factors:
                parameter.copy_(dequantize(*quantize_rows(parameter, largest=MAX_FACTOR_CODE)))
            elif parameter.ndim > 1:
                parameter.copy_(rounded(parameter, storage))


def rounded(weights: Tensor, storage: Storage) -> Tensor:
    """The nearest numbers that ``storage`` can hold, in 32 bits."""
    match storage:
        case "float32":
            return weights
        case "float16":
            return weights.half().float()
        case "int8":
            return dequantize(*quantize_rows(weights))


def _int8_matrices(network: nn.Module) -> set[int]:
    """The ``id`` of each matrix that is multiplied in 8 bits: those of the recurrent layers."""
    layers = [layer for layer in network.modules() if isinstance(layer, RecurrentLayer)]
    for layer in layers:
        if cell_of(layer).onnx_int8_operator is None:
            cells = " and ".join(name for name, cell in CELLS.items() if cell.onnx_int8_operator)
            message = (
                f"arithmetic is 'int8', which only the cell {cells} has, and this network has "
                f"{type(layer).__name__} layers; use float32"
            )
            raise OptionError(message)
    return {id(parameter) for layer in layers for parameter in layer.parameters() if parameter.ndim > 1}
