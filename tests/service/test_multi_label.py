"""A model that gives any number of labels, over HTTP's wire format and the Open Inference Protocol, without HTTP."""

import json

import jsonschema_rs
import pytest

from model_store import SentimentModel
from service.bulk import BulkLine
from service.errors import RequestError
from service.model_card import model_card
from service.open_inference.model import OpenInferenceModel
from service.openapi import openapi
from service.predictor import Predictor
from service.routes import ENDPOINTS
from service.schemas import PredictRequest, RepresentRequest
from service.settings import Settings

TEXTS = ["The soup was cold. The waiter was kind!", "fine"]


@pytest.fixture(scope="module", params=["multi_label_bundle", "tiny_bundle"])
def model(request):
    return SentimentModel.load(request.getfixturevalue(request.param))


@pytest.fixture(scope="module")
def several(multi_label_bundle):
    return SentimentModel.load(multi_label_bundle)


def whole(answer):
    return json.loads(b"".join(answer.pieces()))


def infer(model, *outputs):
    settings = Settings()
    card = model_card(model.manifest.name, model, settings)
    served = OpenInferenceModel(Predictor(model, settings), card, max_numbers=10**6)
    body = {"inputs": [{"name": "text", "shape": [2], "datatype": "BYTES", "data": TEXTS}]}
    if outputs:
        body["outputs"] = [{"name": name} for name in outputs]
    return served, json.loads(b"".join(served.infer(json.dumps(body).encode()).pieces()))["outputs"]


def test_results_have_labels_and_scores_in_place_of_one_label(several):
    request = PredictRequest(texts=TEXTS, explain=True, sentences=True)
    results = whole(Predictor(several, Settings()).predict(request))["results"]
    for result, answer in zip(results, several.predict(TEXTS), strict=True):
        assert result["labels"] == list(answer.labels)
        assert result["scores"] == pytest.approx(answer.scores)
        assert not {"label", "score", "confident", "reasons", "polarity"} & result.keys()
    assert [set(sentence) for sentence in results[0]["sentences"]] == [{"start", "end", "labels", "scores"}] * 2
    biases = {label.name: label.bias for label in several.manifest.labels}
    for label, bias in biases.items():
        total = bias + sum(token["contributions"][label] for token in results[1]["tokens"])
        index = several.manifest.label_names.index(label)
        assert total == pytest.approx(several.predict(TEXTS)[1].logits[index], abs=1e-4)


def test_answers_are_as_the_schema_says(model):
    settings = Settings()
    predictor = Predictor(model, settings)
    document = openapi([model_card(model.manifest.name, model, settings)], ENDPOINTS)
    answers = {
        "PredictResponse": predictor.predict(PredictRequest(texts=[*TEXTS, ""], explain=True, sentences=True)),
        "RepresentResponse": predictor.represent(RepresentRequest(texts=TEXTS)),
    }
    for name, answer in answers.items():
        validator = jsonschema_rs.Draft202012Validator({"$ref": f"#/components/schemas/{name}", **document})
        validator.validate(whole(answer))
        assert not validator.is_valid({**whole(answer), "results": [{"index": 0}]})


def test_the_schema_names_both_kinds_of_results(several):
    document = openapi([model_card("several", several, Settings())], ENDPOINTS)
    results = document["components"]["schemas"]["PredictResponse"]["properties"]["results"]["items"]["anyOf"]
    kinds = [entry["$ref"].rpartition("/")[2] for entry in results]
    assert kinds == ["PredictResult", "MultiLabelResult"]
    required = [document["components"]["schemas"][kind]["required"] for kind in kinds]
    assert [("label" in names, "labels" in names) for names in required] == [(True, False), (False, True)]


def test_the_card_has_the_thresholds(several):
    card = model_card("several", several, Settings())
    assert card.multi_label["negative"].threshold == 0.45


def test_the_protocol_answers_whether_each_label_is_given(several):
    served, (labels, probabilities) = infer(several)
    assert (labels["name"], labels["datatype"], labels["shape"]) == ("labels", "BOOL", [2, 3])
    answers = several.predict(TEXTS)
    assert labels["data"] == [name in answer.labels for answer in answers for name in several.manifest.label_names]
    assert probabilities["shape"] == [2, 3]
    assert served.metadata().outputs[0].parameters == {"labels": ["negative", "neutral", "positive"]}


@pytest.mark.parametrize(("bundle", "name"), [("multi_label_bundle", "label"), ("tiny_bundle", "labels")])
def test_the_other_kind_of_output_is_refused_by_name(request, bundle, name):
    model = SentimentModel.load(request.getfixturevalue(bundle))
    with pytest.raises(RequestError, match=f"this model has no {name}; ask for label"):
        infer(model, name)


def test_bulk_lines_are_results_of_the_same_kind(several):
    predictor = Predictor(several, Settings())
    text = predictor.tokenize(BulkLine(text=TEXTS[1]).text, "end")
    (result,) = predictor.results({7: text}, PredictRequest(texts=TEXTS))
    assert (result.index, result.labels) == (7, list(several.predict(TEXTS)[1].labels))
