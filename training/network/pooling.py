"""Pooling: from every token's contextual representation to one vector a text.

Every pooling here is a sum over tokens of a part that belongs to one token alone. Under a linear head that makes each
token's contribution to each logit exact: ``parts @ weight.T``, with no attribution method and no second pass.

All functions take ``states`` (texts, tokens, size) and ``mask`` (texts, tokens), true where there is a token.
"""

from collections.abc import Callable
from typing import Literal, cast

import torch
from torch import Tensor, nn

PoolingName = Literal["max", "mean", "attention", "last"]


class MaxPooling(nn.Module):
    """Element-wise maximum over tokens: a token owns the dimensions it wins."""

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """(texts, size)."""
        return states.masked_fill(~mask.unsqueeze(-1), -torch.inf).amax(dim=1)

    def parts(self, states: Tensor, mask: Tensor) -> Tensor:
        """(texts, tokens, size): the maximum where a token is the first to reach it, else 0."""
        winner = states.masked_fill(~mask.unsqueeze(-1), -torch.inf).argmax(dim=1, keepdim=True)  # (texts, 1, size)
        return torch.zeros_like(states).scatter(1, winner, states.gather(1, winner))


class MeanPooling(nn.Module):
    """Average over tokens: every token has an equal share."""

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """(texts, size)."""
        return self.parts(states, mask).sum(dim=1)

    def parts(self, states: Tensor, mask: Tensor) -> Tensor:
        """(texts, tokens, size): each state divided by its text's number of tokens."""
        lengths = mask.sum(dim=1).view(-1, 1, 1)
        return states.masked_fill(~mask.unsqueeze(-1), 0.0) / lengths


class AttentionPooling(nn.Module):
    """Average weighted by a learnt relevance (Yang et al. 2016, equations 5-7, with a linear score)."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.score = nn.Linear(size, 1, bias=False)  # a bias would cancel in the softmax

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """(texts, size)."""
        return self.parts(states, mask).sum(dim=1)

    def parts(self, states: Tensor, mask: Tensor) -> Tensor:
        """(texts, tokens, size): each state times its attention."""
        real = mask.unsqueeze(-1)  # (texts, tokens, 1)
        attention: Tensor = self.score(states).masked_fill(~real, -torch.inf).softmax(dim=1)  # (texts, tokens, 1)
        return states.masked_fill(~real, 0.0) * attention


class LastPooling(nn.Module):
    """Where each direction stops reading: the forward state of the last token, the backward state of the first."""

    def __init__(self, size: int, *, bidirectional: bool) -> None:
        super().__init__()
        self.forward_size = size // 2 if bidirectional else size

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """(texts, size)."""
        return self.parts(states, mask).sum(dim=1)

    def parts(self, states: Tensor, mask: Tensor) -> Tensor:
        """(texts, tokens, size): the forward half at the last token and the backward half at the first, else 0."""
        position = torch.arange(states.shape[1], device=states.device)
        last = position == mask.sum(dim=1, keepdim=True) - 1  # (texts, tokens)
        first = (position == 0).expand_as(last)
        half = self.forward_size
        forward = states[..., :half].masked_fill(~last.unsqueeze(-1), 0.0)
        backward = states[..., half:].masked_fill(~first.unsqueeze(-1), 0.0)
        return torch.cat([forward, backward], dim=-1)


OnePooling = MaxPooling | MeanPooling | AttentionPooling | LastPooling


class Pooling(nn.Module):
    """Several poolings side by side: (texts, tokens, size) to (texts, poolings * size)."""

    def __init__(self, names: list[PoolingName], size: int, *, bidirectional: bool) -> None:
        super().__init__()
        if not names or len(set(names)) != len(names):
            message = f"pooling needs one or more distinct names of max, mean, attention, last; got {names}"
            raise ValueError(message)
        makers: dict[PoolingName, Callable[[], OnePooling]] = {
            "max": MaxPooling,
            "mean": MeanPooling,
            "attention": lambda: AttentionPooling(size),
            "last": lambda: LastPooling(size, bidirectional=bidirectional),
        }
        self.names = names
        self.output_size = len(names) * size
        self.poolings = nn.ModuleList(makers[name]() for name in names)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """(texts, poolings * size)."""
        return torch.cat([pooling(states, mask) for pooling in self.poolings], dim=-1)

    def parts(self, states: Tensor, mask: Tensor) -> Tensor:
        """(texts, tokens, poolings * size): what each token adds to each pooled dimension; sums to ``forward``."""
        parts = [cast("OnePooling", pooling).parts(states, mask) for pooling in self.poolings]
        return torch.cat(parts, dim=-1)
