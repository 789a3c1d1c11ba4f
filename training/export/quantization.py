"""How a bundle stores its weight matrices, whole, in half the space or in a quarter of it, and how it multiplies them.

Storing changes the file, not the arithmetic: the graph widens the numbers once, when it is loaded, and computes in 32
bits. Arithmetic in 8 bits is a choice of its own: an LSTM's matrices stay codes, what they are multiplied with is
rounded to 8 bits as it comes, by the range of each step's numbers, and sums are whole numbers in 32 bits. Either way
the network is rounded first and measured as it is shipped.
"""

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from model_store.manifest import Arithmetic
from training.network.cells import CELLS, RecurrentLayer, cell_of
from training.network.quantization import dequantize, quantize_rows
from training.network.validation import OptionError, check_choice

Storage = Literal["float32", "float16", "int8"]

LARGEST_FACTOR = 63
"""The largest code of a matrix that is multiplied in 8 bits.

Processors without instructions for it (VNNI) add two products of an unsigned and a signed byte in 16 bits, and what
does not fit is cut off. 2 * 255 * 63 fits, so that no processor loses anything.
"""


def round_weights(network: nn.Module, storage: Storage, *, arithmetic: Arithmetic = "float32") -> None:
    """Rounds every weight matrix, in place, to numbers that the bundle holds; vectors (biases, norms) stay whole.

    Raises:
        OptionError: there is no such storage or arithmetic, or no 8-bit arithmetic for the network's cells.
    """
    check_choice("storage", storage, choices=get_args(Storage))
    check_choice("arithmetic", arithmetic, choices=get_args(Arithmetic))
    factors = _factors(network) if arithmetic == "int8" else set()
    with torch.no_grad():
        for parameter in network.parameters():
            if id(parameter) in factors:
                parameter.copy_(dequantize(*quantize_rows(parameter, largest=LARGEST_FACTOR)))
            elif parameter.ndim > 1:
                parameter.copy_(rounded(parameter, storage))


def rounded(weights: Tensor, storage: Storage) -> Tensor:
    """The nearest numbers that ``storage`` holds, in 32 bits."""
    match storage:
        case "float32":
            return weights
        case "float16":
            return weights.half().float()
        case "int8":
            return dequantize(*quantize_rows(weights))


def _factors(network: nn.Module) -> set[int]:
    """The identities of the matrices that are multiplied in 8 bits: those of the recurrent layers."""
    layers = [layer for layer in network.modules() if isinstance(layer, RecurrentLayer)]
    for layer in layers:
        if cell_of(layer).onnx_int8_operator is None:
            cells = " and ".join(name for name, cell in CELLS.items() if cell.onnx_int8_operator)
            message = (
                f"arithmetic is 'int8', which is there for the cell {cells} alone, and this network has "
                f"{type(layer).__name__} layers; use float32"
            )
            raise OptionError(message)
    return {id(parameter) for layer in layers for parameter in layer.parameters() if parameter.ndim > 1}
