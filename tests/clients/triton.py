"""Asks a server with Triton's client, with texts as JSON and as bytes: ``python triton.py URL MODEL TEXT...``."""

import json
import sys

import numpy as np
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput


def main(url, model, texts):
    client = InferenceServerClient(url.removeprefix("http://"))
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready(model)
    assert client.get_model_metadata(model)["name"] == model
    for binary in (False, True):
        tensor = InferInput("text", [len(texts)], "BYTES")
        tensor.set_data_from_numpy(np.array(texts, dtype=np.object_), binary_data=binary)
        outputs = [InferRequestedOutput(name, binary_data=binary) for name in ("label", "probabilities")]
        answer = client.infer(model, [tensor], outputs=outputs)
        labels = [label.decode() if isinstance(label, bytes) else label for label in answer.as_numpy("label").tolist()]
        print(json.dumps([labels, answer.as_numpy("probabilities").tolist()]))  # noqa: T201 - what the test reads


main(sys.argv[1], sys.argv[2], sys.argv[3:])
