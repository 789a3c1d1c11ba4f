"""What model.onnx may hold, checked before ONNX Runtime sees it, because a bundle may come from a stranger.

Only what the graphs of this project are made of is let through. So a graph reads no other file, has no loop, no
function and no operator but those listed here. ``training/export`` writes such graphs; a new cell or pooling that needs
another operator adds it to ``OPERATORS``.

Field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto. They are read without the package ``onnx``, which
serving does not need otherwise.
"""

from collections.abc import Mapping
from pathlib import Path

from model_store.errors import BundleError
from model_store.wire_format import Field, Message, MessageReader, WireError

ONNX = ""
RUNTIME = "com.microsoft"

OPERATORS: Mapping[str, frozenset[str]] = {
    ONNX: frozenset({
        "Add", "ArgMax", "Cast", "Clip", "Concat", "CumSum", "Div", "Equal", "Expand", "GRU", "Gather", "LSTM",
        "LayerNormalization", "Less", "MatMul", "Mul", "Pad", "RNN", "Range", "ReduceMax", "ReduceSum", "Reshape",
        "Shape", "Sigmoid", "Slice", "Softmax", "Sub", "Sum", "Transpose", "Unsqueeze", "Where",
    }),
    RUNTIME: frozenset({"DynamicQuantizeLSTM"}),
}  # fmt: skip
"""Operators by domain. None of them holds another graph, reads a file, or depends on chance."""

MAX_FIELDS = 100_000
"""Maximum number of fields in all messages of a graph together: tens of times those of a network of eight layers."""

INTEGER, FLOAT, BYTES = Field("integer"), Field("float"), Field("bytes")
INTEGERS, FLOATS, DOUBLES = (Field(kind, repeated=True) for kind in ("integer", "float", "double"))
MANY = Field("bytes", repeated=True)

GRAPH, OPERATOR_SETS = 7, 8
MODEL = {1: INTEGER, 2: BYTES, 3: BYTES, 4: BYTES, 5: INTEGER, 6: BYTES, GRAPH: BYTES, OPERATOR_SETS: MANY}

SET_DOMAIN = 1
OPERATOR_SET = {SET_DOMAIN: BYTES, 2: INTEGER}

NODES, WEIGHTS = 1, 5
GRAPH_FIELDS = {NODES: MANY, 2: BYTES, WEIGHTS: MANY, 10: BYTES, 11: MANY, 12: MANY, 13: MANY}

OPERATOR, ATTRIBUTES, DOMAIN = 4, 5, 7
NODE = {1: MANY, 2: MANY, 3: BYTES, OPERATOR: BYTES, ATTRIBUTES: MANY, 6: BYTES, DOMAIN: BYTES}

ATTRIBUTE = {1: BYTES, 2: FLOAT, 3: INTEGER, 4: BYTES, 7: FLOATS, 8: INTEGERS, 9: MANY, 13: BYTES, 20: INTEGER}

LOCATION = 14
WEIGHT = {
    1: INTEGERS, 2: INTEGER, 4: FLOATS, 5: INTEGERS, 7: INTEGERS, 8: BYTES, 9: BYTES, 10: DOUBLES, 11: INTEGERS,
    12: BYTES, LOCATION: INTEGER,
}  # fmt: skip

MEANINGS = {
    ("the model", 14): "metadata",
    ("the model", 20): "instructions for training",
    ("the model", 25): "functions",
    ("the graph", 15): "sparse weights",
    ("an attribute", 5): "a tensor",
    ("an attribute", 6): "another graph, as loops and conditions have",
    ("an attribute", 11): "other graphs",
    ("an attribute", 21): "a reference, as functions have",
    ("a weight", 13): "the name of another file",
}
"""What some of the fields that are refused are for."""


def check_graph(path: Path, graph: bytes) -> None:
    """Refuse a graph that holds anything but what the graphs of this project are made of.

    Raises:
        BundleError: names the file and what was found.
    """
    parts = _Parts(path)
    model = parts.read(memoryview(graph), MODEL, place="the model")
    for content in model.contents.get(OPERATOR_SETS, ()):
        domain = _text(parts.read(content, OPERATOR_SET, place="a set of operators"), SET_DOMAIN)
        if domain not in OPERATORS:
            raise BundleError(path, f"needs operators of the domain {domain!r}, which no graph of this project does")
    for content in model.contents.get(GRAPH, ()):
        fields = parts.read(content, GRAPH_FIELDS, place="the graph")
        for node in fields.contents.get(NODES, ()):
            parts.check_node(node)
        for weight in fields.contents.get(WEIGHTS, ()):
            parts.check_weight(weight)


class _Parts:
    """The parts of one file; whatever is wrong with them is an error that names the file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reader = MessageReader(MAX_FIELDS)

    def read(self, content: memoryview, expected: Mapping[int, Field], *, place: str) -> Message:
        try:
            return self._reader.read(content, expected)
        except WireError as error:
            meaning = MEANINGS.get((place, error.number or 0))
            reason = f"{place} has {meaning}, which no graph of this project has" if meaning else f"{place}: {error}"
            raise BundleError(self._path, f"is not a graph as this project writes them: {reason}") from None

    def check_node(self, content: memoryview) -> None:
        node = self.read(content, NODE, place="a node")
        domain, operator = _text(node, DOMAIN), _text(node, OPERATOR)
        if operator not in OPERATORS.get(domain, ()):
            name = f"{domain}.{operator}" if domain else operator
            raise BundleError(self._path, f"has the operator {name!r}, which no graph of this project has")
        for attribute in node.contents.get(ATTRIBUTES, ()):
            self.read(attribute, ATTRIBUTE, place="an attribute")

    def check_weight(self, content: memoryview) -> None:
        weight = self.read(content, WEIGHT, place="a weight")
        if any(weight.integers.get(LOCATION, ())):
            raise BundleError(self._path, "has a weight in another file; a bundle keeps all of them in its graph")


def _text(message: Message, number: int) -> str:
    """A text field, empty if it is absent; cut, as it may be long."""
    return "".join(str(content[:100], "utf-8", "replace") for content in message.contents.get(number, ()))
