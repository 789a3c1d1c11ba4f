"""Any bytes are let through or refused, and what is let through has nothing forbidden for ONNX's own reader."""

from contextlib import suppress
from pathlib import Path

import onnx
import pytest
from google.protobuf.message import DecodeError
from hypothesis import example, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from model_store import BundleError
from model_store.graph_check import MAX_FIELDS, OPERATORS, check_graph
from model_store.wire_format import Field, MessageReader, WireError

PATH = Path("model.onnx")


def small_graph():
    """Every kind of field that is let through, and few bytes besides."""
    nodes = [
        helper.make_node("Transpose", ["x"], ["y"], perm=[1, 0], doc_string="turned"),
        helper.make_node("RNN", ["y"], ["z"], activations=["Tanh"], activation_alpha=[0.5], clip=1.0, hidden_size=2),
        helper.make_node("DynamicQuantizeLSTM", ["z"], ["w"], domain="com.microsoft", direction="forward"),
    ]
    weights = [
        helper.make_tensor("a", TensorProto.FLOAT, [2], [0.0, 1.0]),
        helper.make_tensor("b", TensorProto.INT64, [1, 2], [3, 4]),
        helper.make_tensor("c", TensorProto.INT8, [2], b"\1\2", raw=True),
        helper.make_tensor("d", TensorProto.DOUBLE, [1], [1.0]),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 2]) for name in "xw"]
    graph = helper.make_graph(nodes, "small", ends[:1], ends[1:], weights, doc_string="small")
    sets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=sets, producer_name="test").SerializeToString()


SMALL = small_graph()
LOOP = helper.make_node("Loop", ["", ""], [], body=helper.make_graph([], "inner", [], [])).SerializeToString()
EXTERNAL = b"\x6a\x04\x0a\x00\x12\x00\x70\x01"  # a weight's fields 13 and 14


def test_the_small_graph_and_the_shipped_one_are_let_through():
    check_graph(PATH, SMALL)
    check_graph(PATH, Path("model_store/default/model.onnx").read_bytes())


def forbidden_parts(model):
    """What ONNX's own reader finds that no graph of a bundle may have."""
    yield from model.functions
    yield from model.training_info
    yield from model.metadata_props
    yield from model.graph.sparse_initializer
    for opset in model.opset_import:
        if opset.domain not in OPERATORS:
            yield opset
    for node in model.graph.node:
        if node.op_type not in OPERATORS.get(node.domain, ()):
            yield node
        for attribute in node.attribute:
            if attribute.HasField("g") or attribute.HasField("t") or attribute.graphs or attribute.tensors:
                yield attribute
    for weight in model.graph.initializer:
        if weight.external_data or weight.data_location != TensorProto.DEFAULT:
            yield weight


def assert_let_through_or_refused(content):
    with suppress(BundleError, DecodeError):  # a DecodeError: the runtime refuses it
        check_graph(PATH, content)
        assert list(forbidden_parts(onnx.ModelProto.FromString(content))) == []


@settings(max_examples=1000)
@given(st.data())
def test_a_graph_with_some_bytes_changed(data):
    content = bytearray(SMALL)
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content)))
        length = data.draw(st.integers(0, 8))
        piece = data.draw(
            st.one_of(st.binary(max_size=8), st.sampled_from([EXTERNAL, b"\x0a" + bytes([len(LOOP)]) + LOOP]))
        )
        content[start : start + length] = piece
    assert_let_through_or_refused(bytes(content))


@given(st.binary(max_size=200))
@example(b"\x3a\x00" * 2)
@example(b"\x80" * 20)
def test_any_bytes(content):
    assert_let_through_or_refused(content)


@pytest.mark.parametrize("length", range(1, len(SMALL), 7))
def test_a_graph_that_is_cut_short(length):
    assert_let_through_or_refused(SMALL[:length])


def test_the_number_of_fields_is_bounded():
    check_graph(PATH, b"\x42\0" * MAX_FIELDS)
    with pytest.raises(BundleError, match="more than 100,000 fields"):
        check_graph(PATH, b"\x42\0" * (MAX_FIELDS + 1))


# Examples of https://protobuf.dev/programming-guides/encoding


def test_the_examples_of_the_encoding_are_read():
    expected = {1: Field("integer"), 2: Field("bytes"), 3: Field("bytes"), 6: Field("integer", repeated=True)}
    reader = MessageReader(100)
    assert reader.read(memoryview(bytes.fromhex("089601")), expected).integers == {1: [150]}
    assert reader.read(memoryview(bytes.fromhex("120774657374696e67")), expected).contents == {2: [b"testing"]}
    assert reader.read(memoryview(bytes.fromhex("1a03089601")), expected).contents == {3: [b"\x08\x96\x01"]}
    assert reader.read(memoryview(bytes.fromhex("3206038e029ea705")), expected).contents[6] == [
        bytes.fromhex("038e029ea705")
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("08", "cut short"),
        ("12ff", "cut short"),
        ("1207746573", "cut short"),
        ("08ffffffffffffffffffff01", "too long"),
        ("0a0161", "field 1"),  # bytes where an integer is expected
        ("0801" * 2, "field 1"),  # twice
        ("2001", "field 4"),  # not expected
        ("0b0c", "wire type 3"),  # a group
        ("0f", "wire type 7"),
    ],
)
def test_what_two_readers_may_understand_differently_is_refused(content, reason):
    expected = {1: Field("integer"), 2: Field("bytes")}
    with pytest.raises(WireError, match=reason):
        MessageReader(100).read(memoryview(bytes.fromhex(content)), expected)
