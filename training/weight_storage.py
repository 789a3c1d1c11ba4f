"""How a bundle stores its weight matrices: whole, in half the space, or in a quarter of it.

Storing changes the file, not the arithmetic: the graph widens the numbers once, when it is loaded, and computes in 32
bits. So an answer is the same alone and in any batch, which quantised arithmetic (ranges taken from each batch) would
not give. The network is rounded first and measured as it is shipped.
"""

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from training.network.options import check_choice
from training.network.row_codes import coded

Storage = Literal["float32", "float16", "int8"]


def round_weights(network: nn.Module, storage: Storage) -> None:
    """Rounds every weight matrix, in place, to numbers that ``storage`` holds; vectors (biases, norms) stay whole.

    Raises:
        OptionError: there is no such storage.
    """
    check_choice("storage", storage, choices=get_args(Storage))
    if storage == "float32":
        return
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim > 1:
                parameter.copy_(rounded(parameter, storage))


def rounded(weights: Tensor, storage: Storage) -> Tensor:
    """The nearest numbers that ``storage`` holds, in 32 bits."""
    match storage:
        case "float32":
            return weights
        case "float16":
            return weights.half().float()
        case "int8":
            codes, scales = coded(weights)
            return codes.float() * scales
