"""A bundle from a stranger is run as data or refused with its file's name: no files are read, nothing hangs."""

import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading

import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from model_store import BundleError, SentimentModel
from model_store import bundle as bundles
from model_store.stop_signals import stop_signals_end_at_once
from model_store.tokenization import TextTokenizer
from model_store.tokenizer_file import load_tokenizer


@pytest.fixture
def copy(tiny_bundle, tmp_path):
    return shutil.copytree(tiny_bundle, tmp_path / "copy")


def forge(folder, name, content):
    """Replace a file and its hash, as whoever makes a bundle can."""
    (folder / name).write_bytes(content)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][name] = hashlib.sha256(content).hexdigest()
    edit_manifest(folder, **manifest)


def edit_manifest(folder, **changes):
    """Change fields of the manifest, and let the evaluation belong to it."""
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    (folder / "evaluation.json").unlink(missing_ok=True)


def forge_graph(folder, change):
    model = onnx.load(folder / "model.onnx")
    change(model)
    forge(folder, "model.onnx", model.SerializeToString())


def forge_tokenizer(folder, **changes):
    forge(folder, "tokenizer.json", json.dumps(json.loads((folder / "tokenizer.json").read_text()) | changes).encode())


# Files


NAMES = ["manifest.json", "evaluation.json", "tokenizer.json", "model.onnx", "README.md"]


@pytest.mark.parametrize("name", NAMES)
def test_a_symbolic_link_is_refused(copy, tmp_path, name):
    shutil.move(copy / name, tmp_path / "elsewhere")
    (copy / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BundleError, match=f"{name}: is a symbolic link"):
        SentimentModel.load(copy)


def test_a_link_to_nowhere_is_not_taken_for_a_missing_evaluation(copy, tmp_path):
    (copy / "evaluation.json").unlink()
    (copy / "evaluation.json").symlink_to(tmp_path / "nowhere")
    with pytest.raises(BundleError, match=r"evaluation\.json: is a symbolic link"):
        SentimentModel.load(copy)


def test_the_bundles_own_folder_may_be_a_link(copy, tmp_path):
    (tmp_path / "current").symlink_to(copy)
    assert SentimentModel.load(tmp_path / "current").manifest.name == "tiny"


@pytest.mark.parametrize("name", NAMES)
def test_a_pipe_is_refused_and_not_waited_for(copy, name):
    (copy / name).unlink()
    os.mkfifo(copy / name)
    with pytest.raises(BundleError, match=f"{name}: is not a plain file"):
        SentimentModel.load(copy)


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_is_refused(copy, name):
    (copy / name).unlink()
    (copy / name).mkdir()
    with pytest.raises(BundleError, match=f"{name}: is not a plain file"):
        SentimentModel.load(copy)


def test_a_socket_is_refused(copy):
    (copy / "model.onnx").unlink()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(copy / "model.onnx"))
        with pytest.raises(BundleError, match=r"model\.onnx: cannot be read"):
            SentimentModel.load(copy)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_is_too_large_is_refused_before_it_is_read(copy, name):
    with (copy / name).open("r+b") as stream:
        stream.truncate(bundles.MAX_BYTES[name] + 1)  # sparse: it takes no space, and reading it would take a gigabyte
    with pytest.raises(BundleError, match=f"{name}: is larger than {bundles.MAX_BYTES[name]:,} bytes"):
        SentimentModel.load(copy)


def test_the_manifest_cannot_name_other_files(copy):
    files = json.loads((copy / "manifest.json").read_text())["files"]
    (copy / "extra.bin").write_bytes(b"")
    edit_manifest(copy, files={**files, "extra.bin": hashlib.sha256(b"").hexdigest()})
    with pytest.raises(BundleError, match=r"manifest\.json: names a file that no bundle has: 'extra\.bin'"):
        SentimentModel.load(copy)


@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"a":' * 100_000, b'{"format_version":1,"a":' + b"[" * 900])
def test_json_that_is_nested_without_end_is_refused(copy, content):
    for name in ("manifest.json", "evaluation.json", "tokenizer.json"):
        folder = shutil.copytree(copy, copy.with_name(name))
        if name == "tokenizer.json":
            forge(folder, name, content)
        else:
            (folder / name).write_bytes(content)
        with pytest.raises(BundleError, match=name):
            SentimentModel.load(folder)


def test_a_manifest_of_runs_that_began_with_runs_without_end_is_refused(copy):
    training = json.loads((copy / "manifest.json").read_text())["training"]
    for _ in range(400):
        training = {**training, "initialized_from": training}
    edit_manifest(copy, training=training)
    with pytest.raises(BundleError, match=r"manifest\.json: is invalid at training"):
        SentimentModel.load(copy)


# Graphs


def read_a_file(model, *, location):
    """Let the head's bias be read from another file."""
    weight = next(weight for weight in model.graph.initializer if weight.name.startswith("head.bias"))
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value=location)
    weight.external_data.add(key="length", value="12")


def test_a_graph_that_reads_a_file_is_refused_before_the_runtime_sees_it(copy, tmp_path, monkeypatch):
    secret = tmp_path / "secret.bin"
    secret.write_bytes(b"\0" * 12)
    monkeypatch.chdir(tmp_path)
    forge_graph(copy, lambda model: read_a_file(model, location="secret.bin"))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    onnxruntime.InferenceSession((copy / "model.onnx").read_bytes(), options)  # the runtime itself would read it
    monkeypatch.setattr(onnxruntime, "InferenceSession", None)
    with pytest.raises(BundleError, match=r"model\.onnx: .* a weight has the name of another file"):
        SentimentModel.load(copy)


def test_a_weight_that_is_said_to_be_elsewhere_is_refused(copy):
    def change(model):
        model.graph.initializer[0].data_location = TensorProto.EXTERNAL

    forge_graph(copy, change)
    with pytest.raises(BundleError, match=r"model\.onnx: has a weight in another file"):
        SentimentModel.load(copy)


def empty_graph(name="inner"):
    return helper.make_graph([], name, [], [])


def loop(model):
    model.graph.node.append(helper.make_node("Loop", ["", ""], [], body=empty_graph()))


def unknown_operator(model):
    model.graph.node.append(helper.make_node("ReadFile", ["ids"], ["file"], domain="com.example"))


def known_operator_of_another_domain(model):
    model.graph.node.append(helper.make_node("Add", ["ids", "ids"], ["sum"], domain="com.microsoft"))


def inner_graph_of_a_known_operator(model):
    model.graph.node.append(helper.make_node("Add", ["ids", "ids"], ["sum"], body=empty_graph()))


def inner_graphs(model):
    model.graph.node.append(helper.make_node("Add", ["ids", "ids"], ["sum"], bodies=[empty_graph(), empty_graph()]))


def constant(model):
    tensor = helper.make_tensor("value", TensorProto.FLOAT, [1], [0.0])
    model.graph.node.append(helper.make_node("Add", ["ids", "ids"], ["sum"], value=tensor))


def function(model):
    node = helper.make_node("Add", ["a", "a"], ["b"])
    opset = helper.make_opsetid("", 17)
    model.functions.append(helper.make_function("com.microsoft", "Mine", ["a"], ["b"], [node], [opset]))


def domain(model):
    model.opset_import.append(helper.make_opsetid("com.example", 1))


def metadata(model):
    helper.set_model_props(model, {"ort_config": "{}"})


def sparse(model):
    values = helper.make_tensor("sparse", TensorProto.FLOAT, [1], [0.0])
    indices = helper.make_tensor("indices", TensorProto.INT64, [1], [0])
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [3]))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (loop, "has the operator 'Loop'"),
        (unknown_operator, r"has the operator 'com\.example\.ReadFile'"),
        (known_operator_of_another_domain, r"has the operator 'com\.microsoft\.Add'"),
        (inner_graph_of_a_known_operator, "an attribute has another graph"),
        (inner_graphs, "an attribute has other graphs"),
        (constant, "an attribute has a tensor"),
        (function, "the model has functions"),
        (domain, r"needs operators of the domain 'com\.example'"),
        (metadata, "the model has metadata"),
        (sparse, "the graph has sparse weights"),
    ],
)
def test_what_no_graph_of_this_project_has_is_refused(copy, change, reason):
    forge_graph(copy, change)
    with pytest.raises(BundleError, match=rf"model\.onnx: .*{reason}"):
        SentimentModel.load(copy)


def test_a_graph_that_comes_twice_is_refused(copy):
    # A protobuf reader merges them, so each could hold half of what is forbidden.
    content = (copy / "model.onnx").read_bytes()
    forge(copy, "model.onnx", content + onnx.ModelProto(graph=empty_graph()).SerializeToString())
    with pytest.raises(BundleError, match=r"model\.onnx: .* the model: field 7"):
        SentimentModel.load(copy)


def test_a_graph_in_the_runtimes_own_format_is_refused(copy):
    # A name of 6 bytes puts that format's mark, ORTM, at bytes 4 to 7. What follows is a graph like any other.
    disguised = b"\x12\x06\0\0ORTM" + onnx.ModelProto(ir_version=8, graph=empty_graph()).SerializeToString()
    assert onnx.ModelProto.FromString(disguised).producer_name == "\0\0ORTM"
    forge(copy, "model.onnx", disguised)
    with pytest.raises(BundleError, match=r"model\.onnx: ") as caught:
        SentimentModel.load(copy)
    with pytest.raises(Exception, match="ORT model verification failed"):
        onnxruntime.InferenceSession(disguised)
    assert "ORT model" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"not a graph", b"\x08", b"\x0a\xff\xff\xff\xff\x0f", b"\x80" * 64])
def test_bytes_that_are_not_a_graph_are_refused(copy, content):
    forge(copy, "model.onnx", content)
    with pytest.raises(BundleError, match=r"model\.onnx: "):
        SentimentModel.load(copy)


def test_a_graph_of_a_hundred_million_fields_is_refused_soon(copy):
    forge(copy, "model.onnx", b"\x42\0" * 50_000_000)  # empty sets of operators
    with pytest.raises(BundleError, match=r"model\.onnx: .* more than 100,000 fields"):
        SentimentModel.load(copy)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"labels": 2}, "the output logits is of shape .*3.*, expected size 2"),
        ({"layers": 3}, "the output layer_3 is missing, expected size 24"),
        ({"hidden_size": 13}, "the output layer_1 is of shape .*24.*, expected size 26"),
    ],
)
def test_a_graph_that_does_not_fit_its_manifest_is_refused(copy, changes, reason):
    manifest = json.loads((copy / "manifest.json").read_text())
    if "labels" in changes:
        edit_manifest(copy, labels=manifest["labels"][:2])
    else:
        edit_manifest(copy, architecture={**manifest["architecture"], **changes})
    with pytest.raises(BundleError, match=rf"model\.onnx: does not fit its manifest: {reason}"):
        SentimentModel.load(copy)


def test_a_graph_with_another_input_is_refused(copy):
    def change(model):
        model.graph.input.append(helper.make_tensor_value_info("more", TensorProto.FLOAT, [1]))

    forge_graph(copy, change)
    with pytest.raises(BundleError, match=r"model\.onnx: has the inputs \['ids', 'lengths', 'more'\]"):
        SentimentModel.load(copy)


# Tokenizers


def replace(pattern, content, *, kind="Regex"):
    return {"type": "Replace", "pattern": {kind: pattern}, "content": content}


def sequence(*steps):
    return {"type": "Sequence", "normalizers": list(steps)}


def split(pattern):
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}


WORDS = {"type": "WordLevel", "vocab": {"[PAD]": 0, "[UNK]": 1}, "unk_token": "[UNK]"}
PIECES = {
    "type": "WordPiece", "vocab": {"[UNK]": 0}, "unk_token": "[UNK]", "continuing_subword_prefix": "##",
    "max_input_chars_per_word": 100,
}  # fmt: skip
PADDING = {
    "strategy": {"Fixed": 2_000_000_000}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0,
    "pad_type_id": 0, "pad_token": "[PAD]",
}  # fmt: skip
ADDED = {
    "id": 5, "content": "", "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"padding": PADDING}, "has a part 'padding'"),
        ({"truncation": {"max_length": 1, "strategy": "LongestFirst", "stride": 5}}, "has a part 'truncation'"),
        ({"added_tokens": [ADDED]}, "has a part 'added_tokens'"),
        ({"post_processor": {"type": "ByteLevel"}}, "has a part 'post_processor'"),
        ({"model": None}, "has no model"),
        ({"model": {"type": "Oracle"}}, "has a model of type 'Oracle'; expected BPE, Unigram, WordLevel, WordPiece"),
        ({"model": WORDS | {"vocab": {"a": 0}}}, r"has no token '\[UNK\]' in its vocabulary"),
        ({"model": WORDS | {"unk_token": "[GONE]"}}, "failed on a text"),  # the model's own unknown token
        ({"model": WORDS | {"vocab": {"[UNK]": -1}}}, "cannot be loaded by the tokenizers package"),
        ({"model": WORDS | {"vocab": {"[UNK]": 2**40}}}, "cannot be loaded by the tokenizers package"),
        ({"model": PIECES | {"max_input_chars_per_word": 10**9}}, "has max_input_chars_per_word 1000000000"),
        ({"model": PIECES | {"continuing_subword_prefix": "#" * 65}}, "has a continuing_subword_prefix of more than"),
        ({"normalizer": {"type": "Prepend", "prepend": "a" * 10**6}}, "step 0 of its normalizer is 'Prepend'"),
        ({"normalizer": sequence(sequence())}, "step 0 of its normalizer is 'Sequence'"),
        ({"normalizer": sequence(*[{"type": "NFC"}] * 501)}, "needs a list of at most 500 steps"),
        ({"normalizer": replace("a", "b" * 65)}, "puts in more than 64 characters"),
        ({"normalizer": sequence(*[replace("a", "a" * 10, kind="String")] * 9)}, "a short text becomes huge"),
        ({"normalizer": sequence(*[replace(".", "$" * 60)] * 9)}, "a short text becomes huge"),
        ({"normalizer": replace("(a+)+$", "b")}, "step 0 of its normalizer has a pattern with a repeated group"),
        ({"pre_tokenizer": split("(a*){2,}b")}, "step 0 of its pre_tokenizer has a pattern with a repeated group"),
        ({"pre_tokenizer": split("(a+)(?# )+b")}, "has a pattern with a repeated group"),
        ({"pre_tokenizer": split(r"(?<x>a\g<x>?b)")}, "has a pattern with a repeated group"),
        ({"normalizer": replace("(", "")}, "cannot be loaded by the tokenizers package"),
        # Rust code that panics raises a BaseException.
        ({"normalizer": {"type": "Precompiled", "precompiled_charsmap": "////"}}, "cannot be loaded by the tokenizers"),
    ],
)
def test_a_tokenizer_that_could_blow_up_or_fail_is_refused(copy, changes, reason):
    forge_tokenizer(copy, **changes)
    with pytest.raises(BundleError, match=rf"tokenizer\.json: .*{reason}"):
        SentimentModel.load(copy)


def test_what_was_checked_is_what_is_loaded_if_a_part_comes_twice(copy):
    content = (copy / "tokenizer.json").read_text().rstrip().removesuffix("}")
    forge(copy, "tokenizer.json", f'{content},"padding":{json.dumps(PADDING)},"padding":null}}'.encode())
    assert SentimentModel.load(copy).predict(["fine"])[0].token_count == 1


def test_a_panic_on_one_text_is_an_error_that_does_not_repeat_the_text(tmp_path):
    # Many letters in a row that may be there or not match a text in more ways than can be tried. Oniguruma gives up
    # after ten million steps, and its wrapper panics.
    pattern = "s?e?c?r?e?t?" * 20 + "secret" * 10 + "!"
    path = tmp_path / "tokenizer.json"
    content = json.dumps({"model": WORDS, "pre_tokenizer": split(pattern)}).encode()
    tokenizer = TextTokenizer(load_tokenizer(path, content), unknown_token="[UNK]", max_tokens=10, path=path)
    assert len(tokenizer.tokenize("short words")) > 0
    secret = "secret" * 40
    with pytest.raises(BundleError, match=r"tokenizer\.json: failed on a text \(PanicException\)") as caught:
        tokenizer.tokenize(f"{secret}1")
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__
    assert len(tokenizer.tokenize("short words")) > 0  # others are still read


# Stop signals


LOADING = """
import signal, sys, time
from model_store.stop_signals import stop_signals_end_at_once
signal.signal(signal.SIGTERM, lambda *_: print("the handler ran", flush=True))
with stop_signals_end_at_once():
    print("loading", flush=True)
    {native}
"""

NATIVE = "int('9' * 4300) ** 10**7"  # minutes of one call that never returns to Python's loop


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_signal_ends_a_process_that_is_loading_in_native_code(number):
    command = [sys.executable, "-c", LOADING.format(native=NATIVE)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:  # noqa: S603
        try:
            assert process.stdout.readline() == b"loading\n"
            process.send_signal(number)
            output, _ = process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode == -number
    assert output == b""


def test_handlers_are_back_after_loading_and_ignored_signals_stay_ignored():
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        with stop_signals_end_at_once():
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
            assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL
        assert signal.getsignal(signal.SIGINT) is before[signal.SIGINT]
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_a_model_can_be_loaded_in_another_thread(copy):
    loaded = []
    thread = threading.Thread(target=lambda: loaded.append(SentimentModel.load(copy)))
    thread.start()
    thread.join()
    assert loaded[0].manifest.name == "tiny"
