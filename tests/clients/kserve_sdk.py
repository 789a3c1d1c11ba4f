"""Asks a server with KServe's SDK, with texts as JSON and as bytes: ``python kserve_sdk.py URL MODEL TEXT...``."""

import asyncio
import json
import sys

import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig


async def main(url, model, texts):
    client = InferenceRESTClient(RESTConfig(protocol="v2", timeout=60))
    assert await client.is_server_ready(url)
    assert await client.is_model_ready(url, model)
    for binary in (False, True):
        tensor = InferInput(name="text", shape=[len(texts)], datatype="BYTES")
        tensor.set_data_from_numpy(np.array(texts, dtype=np.object_), binary_data=binary)
        request = InferRequest(model_name=model, infer_inputs=[tensor])
        answer = await client.infer(url, request, model_name=model)
        outputs = {output.name: output.as_numpy() for output in answer.outputs}
        labels = [label.decode() if isinstance(label, bytes) else label for label in outputs["label"].tolist()]
        print(json.dumps([labels, outputs["probabilities"].tolist()]))  # noqa: T201 - what the test reads


asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
