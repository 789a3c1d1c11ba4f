"""Asks a server with a generated client that lies beside this file: ``python generated.py URL TEXT...``."""

import json
import sys

from sentiment_client import Client
from sentiment_client.api.default import predict
from sentiment_client.models import PredictRequest


def main(url, texts):
    with Client(base_url=url, raise_on_unexpected_status=True) as client:
        answer = predict.sync(client=client, body=PredictRequest(texts=texts, explain=True))
        print(json.dumps(answer.to_dict()))  # noqa: T201 - what the test reads
        refused = predict.sync(client=client, body=PredictRequest(texts=[]))
        print(json.dumps(refused.error.to_dict()))  # noqa: T201


main(sys.argv[1], sys.argv[2:])
