"""Pooling: from every token's contextual representation to one vector a text.

Every pooling here is a sum over tokens of a part that belongs to one token alone. Under a linear head that makes each
token's contribution to each logit exact: ``parts @ weight.T``, with no attribution method and no second pass.

``forward`` and ``parts`` take ``states`` (texts, tokens, size) and ``mask`` (texts, tokens), true where there is a
token. ``to_onnx`` adds to a bundle's graph what each token contributes, (texts, tokens, labels): its part times the
head's weight, whose name is ``weight``, (size, labels). A new pooling is a class and an entry in ``POOLINGS`` here, and
its name in ``model_store.manifest.PoolingName``.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, cast

import torch
from torch import Tensor, nn

from model_store.manifest import PoolingName
from training.network.validation import OptionError

LOWEST = torch.finfo(torch.float32).min


class GraphBuilder(Protocol):
    """An ONNX graph under construction; every method returns the name of the value it adds."""

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:  # noqa: ANN401 - as ONNX has them
        """A node with one output."""

    def weight(self, values: Tensor, name: str) -> str:
        """A constant tensor."""

    def matrix(self, values: Tensor, name: str, *, transposed: bool = False) -> str:
        """A constant weight matrix, in the bundle's precision."""

    def integers(self, *values: int) -> str:
        """A 1-d int64 constant."""

    def number(self, value: float) -> str:
        """A float32 scalar constant."""

    def to_float(self, value: str) -> str:
        """A value as float32."""


class PoolingInputs(NamedTuple):
    """Names of what a pooling reads in a graph.

    ``states`` (texts, tokens, size), zero past a text's end; ``mask`` (texts, tokens, 1); ``position`` (1, tokens, 1),
    from 0; ``length`` (texts, 1, 1).
    """

    states: str
    mask: str
    position: str
    length: str


class MaxPooling(nn.Module):
    """Element-wise maximum over tokens: a token owns the dimensions it wins."""

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """(texts, size)."""
        return states.masked_fill(~mask.unsqueeze(-1), -torch.inf).amax(dim=1)

    def parts(self, states: Tensor, mask: Tensor) -> Tensor:
        """(texts, tokens, size): the maximum where a token is the first to reach it, else 0."""
        winner = states.masked_fill(~mask.unsqueeze(-1), -torch.inf).argmax(dim=1, keepdim=True)  # (texts, 1, size)
        return torch.zeros_like(states).scatter(1, winner, states.gather(1, winner))

    def to_onnx(self, graph: GraphBuilder, inputs: PoolingInputs, weight: str) -> str:
        """Add the nodes to a graph."""
        below_all = graph.add("Where", inputs.mask, graph.number(0.0), graph.number(LOWEST))  # past a text's end
        masked = graph.add("Add", inputs.states, below_all)
        winner = graph.add("ArgMax", masked, axis=1, keepdims=1)  # (texts, 1, size), the first of equals
        is_winner = graph.add("Equal", inputs.position, winner)
        return graph.add("MatMul", graph.add("Where", is_winner, inputs.states, graph.number(0.0)), weight)


class MeanPooling(nn.Module):
    """Average over tokens: every token has an equal share."""

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """(texts, size)."""
        return self.parts(states, mask).sum(dim=1)

    def parts(self, states: Tensor, mask: Tensor) -> Tensor:
        """(texts, tokens, size): each state divided by its text's number of tokens."""
        lengths = mask.sum(dim=1).view(-1, 1, 1)
        return states.masked_fill(~mask.unsqueeze(-1), 0.0) / lengths

    def to_onnx(self, graph: GraphBuilder, inputs: PoolingInputs, weight: str) -> str:
        """Add the nodes to a graph."""
        return graph.add("Div", graph.add("MatMul", inputs.states, weight), graph.to_float(inputs.length))


class AttentionPooling(nn.Module):
    """Average weighted by a learned relevance (Yang et al. 2016, equations 5-7, with a linear score)."""

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

    def to_onnx(self, graph: GraphBuilder, inputs: PoolingInputs, weight: str) -> str:
        """Add the nodes to a graph."""
        scores = graph.add("MatMul", inputs.states, graph.matrix(self.score.weight, "attention", transposed=True))
        attention = graph.add("Softmax", graph.add("Where", inputs.mask, scores, graph.number(LOWEST)), axis=1)
        return graph.add("Mul", graph.add("MatMul", inputs.states, weight), attention)


class LastPooling(nn.Module):
    """The final state of each direction: the forward state of the last token, the backward state of the first."""

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

    def to_onnx(self, graph: GraphBuilder, inputs: PoolingInputs, weight: str) -> str:
        """Add the nodes to a graph."""
        one = graph.weight(torch.tensor(1), "one")
        last = graph.add("Equal", inputs.position, graph.add("Sub", inputs.length, one))  # (texts, tokens, 1)
        first = graph.add("Equal", inputs.position, graph.weight(torch.tensor(0), "zero"))
        zero, half = graph.integers(0), graph.integers(self.forward_size)
        end = graph.integers(torch.iinfo(torch.int64).max)
        ends = []
        for is_end, start, stop in ((last, zero, half), (first, half, end)):
            states = graph.add("Slice", inputs.states, start, stop, graph.integers(2))
            product = graph.add("MatMul", states, graph.add("Slice", weight, start, stop, zero))
            ends.append(graph.add("Where", is_end, product, graph.number(0.0)))
        return graph.add("Add", *ends)


SinglePooling = MaxPooling | MeanPooling | AttentionPooling | LastPooling

POOLINGS: dict[PoolingName, Callable[[int, bool], SinglePooling]] = {
    "max": lambda size, bidirectional: MaxPooling(),  # noqa: ARG005 - all are made alike
    "mean": lambda size, bidirectional: MeanPooling(),  # noqa: ARG005
    "attention": lambda size, bidirectional: AttentionPooling(size),  # noqa: ARG005
    "last": lambda size, bidirectional: LastPooling(size, bidirectional=bidirectional),
}


class Pooling(nn.Module):
    """Several poolings side by side: (texts, tokens, size) to (texts, poolings * size)."""

    def __init__(self, names: list[PoolingName], size: int, *, bidirectional: bool) -> None:
        super().__init__()
        if not names or len(set(names)) != len(names) or not set(names) <= set(POOLINGS):
            message = f"pooling is {names}; expected one or more distinct names of {', '.join(POOLINGS)}"
            raise OptionError(message)
        self.names = names
        self.output_size = len(names) * size
        self.poolings = nn.ModuleList(POOLINGS[name](size, bidirectional) for name in names)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """(texts, poolings * size)."""
        return torch.cat([pooling(states, mask) for pooling in self.poolings], dim=-1)

    def parts(self, states: Tensor, mask: Tensor) -> Tensor:
        """(texts, tokens, poolings * size): what each token adds to each pooled dimension; sums to ``forward``."""
        parts = [cast("SinglePooling", pooling).parts(states, mask) for pooling in self.poolings]
        return torch.cat(parts, dim=-1)

    def to_onnx(self, graph: GraphBuilder, inputs: PoolingInputs, weight: str) -> list[str]:
        """Add the nodes of all poolings to a graph; ``weight`` is (poolings * size, labels).

        Returns:
            The name of each pooling's share of the contributions.
        """
        size = self.output_size // len(self.names)
        shares = []
        for index, pooling in enumerate(self.poolings):
            start, end = graph.integers(index * size), graph.integers((index + 1) * size)
            own = graph.add("Slice", weight, start, end, graph.integers(0))
            shares.append(cast("SinglePooling", pooling).to_onnx(graph, inputs, own))
        return shares
