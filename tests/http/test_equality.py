"""What is served is what was trained: the API's scores equal the Lightning module's on real sentences."""

import csv

import numpy as np
import torch
from tokenizers import Tokenizer
from torch.nn.utils.rnn import pack_sequence

from tests.support.paths import SAMPLE
from training.data.readers import read_examples

TEXTS_A_REQUEST = 8  # what the test service allows
TEMPERATURE = 1.5  # the tiny bundle's


def served(client, texts):
    scores = []
    for start in range(0, len(texts), TEXTS_A_REQUEST):
        answer = client.post("/v1/predict", json={"texts": texts[start : start + TEXTS_A_REQUEST]}).json()
        assert answer["errors"] == []
        scores.extend(list(result["scores"].values()) for result in answer["results"])
    return np.array(scores)


def lightning(task, texts):
    pipeline = Tokenizer.from_str(task.tokenizer_json)
    ids = [torch.tensor(pipeline.encode(text).ids) for text in texts]
    with torch.inference_mode():
        return (task(pack_sequence(ids, enforce_sorted=False)) / TEMPERATURE).softmax(dim=1).numpy()


def test_on_the_repositorys_sentences(client, tiny_task):
    texts = []
    for part in ("train", "validation", "test"):
        with (SAMPLE / f"{part}.csv").open(encoding="utf-8") as stream:
            texts.extend(row["text"] for row in csv.DictReader(stream))
    assert len(texts) == 480
    np.testing.assert_allclose(served(client, texts), lightning(tiny_task, texts), atol=1e-5)


def test_on_500_sentences_of_the_treebank(client, tiny_task, real_data):
    examples = read_examples(real_data / "sst" / "test.txt.gz")
    texts = [example.text for example, _ in zip(examples, range(500), strict=False)]
    assert len(texts) == 500
    np.testing.assert_allclose(served(client, texts), lightning(tiny_task, texts), atol=1e-5)
