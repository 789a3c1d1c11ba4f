"""An inference's tensors, padded while they are written, checked against numpy."""

import json
import struct

import numpy as np
import pytest

from service.errors import RequestError
from service.open_inference.inference import Inference, PaddedTensor
from service.open_inference.model import OpenInferenceModel
from service.open_inference.schemas import InferResponse, ResponseTensor

ROWS = [np.float32([[0.5, -1.25]]), np.float32([[1, 2], [3, 4], [5, 6]])]
PADDED = np.float32([[[0.5, -1.25], [0, 0], [0, 0]], [[1, 2], [3, 4], [5, 6]]])
LABELS = ResponseTensor(name="label", datatype="BYTES", shape=[2], data=["good", "bad"])


def inference(*tensors):
    return Inference(InferResponse(model_name="a", model_version="1", id="7", outputs=[]), tensors)


def test_numbers_are_padded_with_zeros():
    answer = inference((LABELS, False), (PaddedTensor(ROWS), False))
    assert answer.lengths() is None
    written = b"".join(answer.pieces())
    tensor = ResponseTensor(name="representations", datatype="FP32", shape=[2, 3, 2], data=PADDED.ravel().tolist())
    whole = InferResponse(model_name="a", model_version="1", id="7", outputs=[LABELS, tensor])
    assert json.loads(written) == whole.model_dump(exclude_none=True)


@pytest.mark.parametrize("labels_as_bytes", [True, False])
def test_bytes_follow_the_object_in_the_lengths_that_it_states(labels_as_bytes):
    answer = inference((PaddedTensor(ROWS), True), (LABELS, labels_as_bytes))
    written = b"".join(answer.pieces())
    json_length, length = answer.lengths()
    assert len(written) == length
    outputs = json.loads(written[:json_length])["outputs"]
    assert outputs[0]["parameters"] == {"binary_data_size": 48}
    assert written[json_length : json_length + 48] == struct.pack("<12f", *PADDED.ravel())
    assert written[json_length + 48 :] == (b"\x04\0\0\0good\x03\0\0\0bad" if labels_as_bytes else b"")


def test_numbers_as_json_before_bytes_have_their_length_stated():
    answer = inference((PaddedTensor(ROWS), False), (LABELS, True))
    written = b"".join(answer.pieces())
    json_length, length = answer.lengths()
    assert (len(written), json.loads(written[:json_length])["outputs"][0]["data"]) == (length, PADDED.ravel().tolist())


def test_very_many_strings_as_bytes_are_not_all_read():
    body = json.dumps(
        {
            "inputs": [
                {"name": "text", "shape": [500_000], "datatype": "BYTES", "parameters": {"binary_data_size": 2_000_000}}
            ]
        }
    ).encode()
    model = OpenInferenceModel(predictor=None, card=None, max_numbers=1)
    with pytest.raises(RequestError, match="more than 16,384 texts"):
        model.infer(body + b"\0\0\0\0" * 500_000, len(body))
