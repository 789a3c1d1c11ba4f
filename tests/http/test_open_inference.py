"""The Open Inference Protocol: its own objects and errors, this model's answers."""

import importlib
import json
import struct

import numpy as np
import pytest

from service.open_inference.routes import JSON_LENGTH
from service.open_inference.schemas import InferResponse

TEXTS = ["The movie was terribly exciting!", "The soup was cold.", "fine"]
INFER = "/v2/models/tiny/infer"


def tensor(*texts, **changes):
    return {"name": "text", "shape": [len(texts)], "datatype": "BYTES", "data": list(texts), **changes}


def infer(client, *texts, path=INFER, **request):
    response = client.post(path, json={"inputs": [tensor(*texts)], **request})
    assert response.status_code == 200, response.text
    InferResponse.model_validate_json(response.content)
    return response.json()


def numbers(output):
    return np.array(output["data"], dtype=np.float32).reshape(output["shape"])


@pytest.mark.parametrize("path", [INFER, "/v2/models/tiny/versions/1/infer"])
def test_labels_and_probabilities_are_the_models(client, model, path):
    answer = infer(client, *TEXTS, path=path, id="42")
    assert (answer["model_name"], answer["model_version"], answer["id"]) == ("tiny", "1", "42")
    label, probabilities = answer["outputs"]
    direct = model.predict(TEXTS)
    assert label == {"name": "label", "datatype": "BYTES", "shape": [3], "data": [one.label for one in direct]}
    assert (probabilities["name"], probabilities["datatype"], probabilities["shape"]) == (
        "probabilities",
        "FP32",
        [3, 3],
    )
    np.testing.assert_allclose(numbers(probabilities), [list(one.scores.values()) for one in direct], atol=1e-6)


def test_representations_are_padded_with_zeros_behind_the_last_token(client, model):
    answer = infer(client, *TEXTS, outputs=[{"name": "token_count"}, {"name": "representations"}])
    counts, representations = answer["outputs"]
    direct = model.represent(TEXTS)
    assert counts["data"] == [one.token_count for one in direct]
    assert representations["shape"] == [3, max(counts["data"]), 24]
    for rows, count, one in zip(numbers(representations), counts["data"], direct, strict=True):
        np.testing.assert_allclose(rows[:count], one.representations[2], atol=1e-6)
        assert not rows[count:].any()


def test_outputs_come_as_they_were_asked_for(client):
    answer = infer(client, "fine", outputs=[{"name": "probabilities", "parameters": {"binary_data": False}}])
    assert [output["name"] for output in answer["outputs"]] == ["probabilities"]
    assert "id" not in answer


def test_unknown_members_are_ignored_as_the_protocol_asks(client):
    # What KServe's SDK sends beside the protocol's own members, and what a later version of the protocol may add.
    plain = infer(client, "fine", id="1")
    inputs = [tensor("fine", parameters={"content_type": "str"}, layout="row")]
    outputs = [{"name": name, "parameters": {"class_count": 0}, "later": 1} for name in ("label", "probabilities")]
    body = {"model_name": "tiny", "model_version": None, "id": "1", "inputs": inputs, "outputs": outputs, "later": {}}
    response = client.post(INFER, json=body)
    assert (response.status_code, response.json()) == (200, plain)


def test_a_lone_surrogate_names_its_text(client):
    body = json.dumps({"inputs": [tensor("fine", "\ud83d")]}).encode()
    status, message = error_of(client.post(INFER, content=body, headers={"content-type": "application/json"}))
    assert status == 400
    assert message.startswith("text 1: ")


def as_bytes(*texts):
    """Texts as Triton's clients send them: each its length in four bytes, then its UTF-8."""
    return b"".join(struct.pack("<I", len(text.encode())) + text.encode() for text in texts)


def infer_with_bytes(client, data, *, shape, **request):
    tensor = {"name": "text", "shape": shape, "datatype": "BYTES", "parameters": {"binary_data_size": len(data)}}
    header = json.dumps({"inputs": [tensor], **request}).encode()
    return client.post(
        INFER,
        content=header + data,
        headers={JSON_LENGTH: str(len(header)), "content-type": "application/json"},
    )


def test_texts_may_come_as_bytes(client):
    texts = ["Très bien 🎉 fine", "cold"]
    response = infer_with_bytes(client, as_bytes(*texts), shape=[2])
    assert response.json() == infer(client, *texts)


def test_tensors_may_leave_as_bytes(client):
    names = ["label", "token_count", "probabilities"]
    plain = infer(client, *TEXTS, outputs=[{"name": name} for name in names])["outputs"]
    outputs = [{"name": name, "parameters": {"binary_data": name != "token_count"}} for name in names]
    response = client.post(INFER, json={"inputs": [tensor(*TEXTS)], "outputs": outputs})
    length = int(response.headers[JSON_LENGTH])
    label, count, probabilities = json.loads(response.content[:length])["outputs"]
    behind = response.content[length:]
    size = label["parameters"]["binary_data_size"]
    assert "data" not in label
    assert behind[:size] == as_bytes(*plain[0]["data"])
    assert count == plain[1]
    assert probabilities["parameters"]["binary_data_size"] == len(behind) - size == 4 * 9
    np.testing.assert_array_equal(np.frombuffer(behind[size:], "<f4"), np.array(plain[2]["data"], dtype=np.float32))


def test_all_tensors_as_bytes_may_be_asked_for_at_once(client):
    response = client.post(INFER, json={"inputs": [tensor("fine")], "parameters": {"binary_data_output": True}})
    outputs = json.loads(response.content[: int(response.headers[JSON_LENGTH])])["outputs"]
    assert [list(output) for output in outputs] == [["name", "datatype", "shape", "parameters"]] * 2


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (as_bytes("fine")[:-1], "ends in the middle of a string"),
        (as_bytes("fine") + b"\0", "ends in the middle of a length"),
        (struct.pack("<I", 2) + b"\xff\xff", "not UTF-8"),
        (struct.pack("<I", 2**32 - 1), "ends in the middle of a string"),
        (b"", "does not fit 0 texts"),
    ],
)
def test_damaged_bytes_are_the_requests_error(client, data, part):
    status, message = error_of(infer_with_bytes(client, data, shape=[1]))
    assert status == 400
    assert part in message


@pytest.mark.parametrize("length", ["-1", "1e3", "9" * 400, "0", "²"])
def test_a_wrong_length_of_the_json_object_is_the_requests_error(client, length):
    body = json.dumps({"inputs": [tensor("fine")]}).encode()
    headers = {"content-type": "application/json", JSON_LENGTH.encode(): length.encode()}
    response = client.post(INFER, content=body, headers=headers)
    assert response.status_code == (200 if length.startswith("9") else 400)


def test_a_column_of_texts_is_as_good_as_a_list(client):
    nested = tensor("fine", "cold", shape=[2, 1], data=[["fine"], ["cold"]])
    response = client.post(INFER, json={"inputs": [nested]})
    assert response.json() == infer(client, "fine", "cold")


@pytest.mark.parametrize("path", ["/v2/models/tiny", "/v2/models/tiny/versions/1"])
def test_the_metadata_fits_what_infer_gives(client, path):
    metadata = client.get(path).json()
    assert (metadata["name"], metadata["versions"]) == ("tiny", ["1"])
    assert metadata["inputs"] == [{"name": "text", "datatype": "BYTES", "shape": [-1]}]
    described = {output["name"]: output for output in metadata["outputs"]}
    assert described["probabilities"]["parameters"] == {"labels": ["negative", "neutral", "positive"]}
    for output in infer(client, "fine", "cold", outputs=[{"name": name} for name in described])["outputs"]:
        assert output["datatype"] == described[output["name"]]["datatype"]
        pairs = zip(described[output["name"]]["shape"], output["shape"], strict=True)
        assert all(size in (-1, given) for size, given in pairs)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v2", {"name": "sentiment", "version": "1", "extensions": ["binary_tensor_data", "model_repository"]}),
        ("/v2/health/live", {"live": True}),
        ("/v2/health/ready", {"ready": True}),
        ("/v2/models/tiny/ready", {"name": "tiny", "ready": True}),
        ("/v2/models/tiny/versions/1/ready", {"name": "tiny", "ready": True}),
    ],
)
def test_the_small_ones(client, path, expected):
    assert client.get(path).json() == expected


def error_of(response):
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-request-id"]
    (message,) = response.json().values()
    assert list(response.json()) == ["error"]
    return response.status_code, message


@pytest.mark.parametrize(
    ("request_", "status", "part"),
    [
        ({"inputs": [tensor("fine", "", "cold")]}, 400, "text 1: the text has no tokens"),
        ({"inputs": [tensor("fine", "fine " * 401)]}, 400, "text 1: the text has 401 tokens"),
        ({"inputs": [tensor("fine", shape=[2])]}, 400, "inputs.0.shape: [2] does not fit 1 texts"),
        ({"inputs": [tensor("fine", shape=[1, 2])]}, 400, "inputs.0.shape"),
        ({"inputs": [tensor("fine", shape=[])]}, 400, "inputs.0.shape"),
        ({"inputs": [tensor()]}, 400, "at least one text"),
        ({"inputs": [tensor("fine", datatype="FP32")]}, 400, "inputs.0.datatype"),
        ({"inputs": [tensor("fine", name="texts")]}, 400, "inputs.0.name"),
        ({"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES"}]}, 400, "inputs.0.data: there should be data"),
        ({"inputs": [tensor(data="fine")]}, 400, "inputs.0.data: Input should be a list of strings, or of lists"),
        ({"inputs": [tensor(data=["fine", 1], shape=[2])]}, 400, "inputs.0.data: Input should be a list of strings"),
        ({"inputs": []}, 400, "inputs"),
        ({"inputs": [tensor("fine")], "outputs": [{"name": "nothing"}]}, 400, "outputs.0.name"),
        (
            {"inputs": [tensor("fine")], "outputs": [{"name": "label", "parameters": {"classification": 2}}]},
            400,
            "outputs.0.parameters.classification: this server has no classification extension",
        ),
        (
            {
                "inputs": [tensor("fine")],
                "outputs": [{"name": "label"}, {"name": "probabilities", "parameters": {"class_count": 2}}],
            },
            400,
            "outputs.1.parameters.class_count",
        ),
        (
            {"inputs": [tensor("fine")], "outputs": [{"name": "label"}, {"name": "label"}]},
            400,
            "outputs: The output label should be named once",
        ),
        ({"inputs": [tensor("fine")], "outputs": [{"name": "label"}] * 7}, 400, "outputs: List should have at most 6"),
        ({"inputs": [tensor(*["fine"] * 9)]}, 422, "9 texts"),
    ],
)
def test_an_error_has_the_protocols_form_and_names_its_cause(client, request_, status, part):
    given, message = error_of(client.post(INFER, json=request_))
    assert given == status
    assert part in message


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/v2/models/other/infer", 404),
        ("POST", "/v2/models/tiny/versions/2/infer", 404),
        ("GET", "/v2/models/other", 404),
        ("GET", "/v2/models/tiny/versions/2/ready", 404),
        ("GET", "/v2/nothing", 404),
        ("GET", INFER, 405),
    ],
)
def test_another_model_version_path_or_method(client, method, path, status):
    given, message = error_of(client.request(method, path, json={"inputs": [tensor("fine")]}))
    assert given == status
    assert message


def test_a_body_that_is_no_json_or_another_kind(client):
    headers = {"content-type": "application/json"}
    assert error_of(client.post(INFER, content=b"{", headers=headers))[0] == 400
    assert error_of(client.post(INFER, content=b" " * 65_537, headers=headers))[0] == 413
    assert error_of(client.post(INFER, content=b"{}", headers={"content-type": "text/plain"}))[0] == 415


@pytest.mark.usefixtures("inside")
def test_a_tensor_that_would_be_mostly_padding_is_refused(client, monkeypatch):
    served = importlib.import_module("service.app").state.served
    monkeypatch.setattr(served.models.get().open_inference, "_max_numbers", 4 * 300 * 24 - 1)
    texts = ["fine " * 300, "fine", "fine", "fine"]
    response = client.post(INFER, json={"inputs": [tensor(*texts)], "outputs": [{"name": "representations"}]})
    status, message = error_of(response)
    assert status == 400
    assert "4 x 300 x 24" in message
