"""Regularization by noise: active in training only, and off at a probability of 0.

All of it works on packed tokens, so padding costs no random numbers and stays as it is.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional
from torch.nn.utils.rnn import PackedSequence

from training.network.cells import RecurrentLayer
from training.network.validation import OptionError, check_probability


class WordDropout(nn.Module):
    """Replaces single tokens by the unknown token (Bowman et al. 2016, section 3.1).

    The network learns not to rely on one word, and how to read words that it does not know.

    Args:
        probability: of a token being replaced.
        unknown_id: the id that replaces it; may be None if the probability is 0.
    """

    def __init__(self, probability: float, *, unknown_id: int | None) -> None:
        super().__init__()
        check_probability("word_dropout", probability)
        if probability and unknown_id is None:
            message = f"word_dropout is {probability}, but the tokenizer has no unknown token to replace words with"
            raise OptionError(message)
        self.probability = probability
        self.unknown_id = unknown_id

    def forward(self, ids: Tensor) -> Tensor:
        """(all tokens,) to (all tokens,) token ids."""
        if not self.training or not self.probability or self.unknown_id is None:
            return ids
        return ids.masked_fill(torch.rand(ids.shape, device=ids.device) < self.probability, self.unknown_id)


class LockedDropout(nn.Module):
    """Dropout with one mask a text: a unit zeroed in one token is zeroed in all tokens of that text.

    "Variational" dropout (Gal and Ghahramani 2016, section 4): the noise cannot be averaged out over time.

    Args:
        probability: of a unit being zeroed; the others grow by 1 / (1 - probability), so that the expectation stays.
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        check_probability("locked_dropout", probability)
        self.probability = probability

    def forward(self, states: PackedSequence) -> PackedSequence:
        """(all tokens, size) to (all tokens, size)."""
        if not self.training or not self.probability:
            return states
        texts, size = int(states.batch_sizes[0]), states.data.shape[1]
        mask = functional.dropout(states.data.new_ones(texts, size), self.probability)  # (texts, size)
        data = states.data * mask[text_of_token(states)]  # (all tokens, size)
        return PackedSequence(data, states.batch_sizes, states.sorted_indices, states.unsorted_indices)


def text_of_token(states: PackedSequence) -> Tensor:
    """(all tokens,): which text, in packed (longest first) order, each packed token belongs to.

    Packed data holds the first token of every text, then the second of every text that has one, and so on: within each
    of these steps the position is the text.
    """
    sizes = states.batch_sizes  # (steps,), on the CPU wherever the data is
    starts = (sizes.cumsum(0) - sizes).repeat_interleave(sizes)  # (all tokens,)
    return (torch.arange(len(starts)) - starts).to(states.data.device)


def dropped_weights(layer: RecurrentLayer, probability: float) -> dict[str, Tensor]:
    """A recurrent layer's weights by name, with single connections of its recurrent matrices cut, in every direction.

    DropConnect on the hidden-to-hidden weights (Merity et al. 2017, section 2): the same cut for all texts and all
    tokens of a batch, so the layer still runs as one fused kernel. The weights that stay grow by 1 / (1 - probability).
    The stored weights are not changed; at a probability of 0 they are returned.
    """
    return {
        name: functional.dropout(weight, probability) if probability and name.startswith("weight_hh") else weight
        for name, weight in layer.named_parameters()
    }


def read_with_weights(
    layer: RecurrentLayer, states: PackedSequence, *, weights: Mapping[str, Tensor]
) -> PackedSequence:
    """Run the layer on other weights than its own: (all tokens, input size) to (all tokens, directions * hidden)."""
    stored = dict(layer.named_parameters())
    try:
        output: PackedSequence = functional_call(layer, dict(weights), (states,))[0]
    finally:
        # Torch's recurrent modules keep a second list of their weights for cuDNN. functional_call leaves the other
        # weights in it, with their whole graph; assigning a weight is what puts the list right.
        for name, weight in stored.items():
            setattr(layer, name, weight)
    return output
