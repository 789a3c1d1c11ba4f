"""What a model cannot do is said clearly, for models over which the whole service is not started."""

from types import SimpleNamespace

import pytest

from model_store import SentimentModel
from model_store.manifest import Architecture
from service.errors import RequestError
from service.predictor import Predictor
from service.schemas import PredictRequest, RepresentRequest
from service.settings import Settings


class OneDirection:
    """A tiny bundle's model that says it reads forward only."""

    def __init__(self, model: SentimentModel) -> None:
        architecture = model.manifest.architecture
        forward_only = Architecture(
            **{
                **architecture.model_dump(),
                "bidirectional": False,
                "hidden_size": architecture.representation_size,
            }
        )
        self.manifest = model.manifest.model_copy(update={"architecture": forward_only})
        self.sha256 = model.sha256
        self.tokenize = model.tokenize
        self.layer_numbers = model.layer_numbers
        self.predict_tokenized = model.predict_tokenized


@pytest.fixture(scope="module")
def model(tiny_bundle):
    return SentimentModel.load(tiny_bundle)


def test_backward_is_refused_by_a_model_that_reads_forward_only(model):
    predictor = Predictor(OneDirection(model), Settings())
    with pytest.raises(RequestError) as caught:
        predictor.represent(RepresentRequest(texts=["fine"], direction="backward"))
    assert (caught.value.code, caught.value.param) == ("unknown_direction", "direction")


def test_forward_is_the_whole_of_a_model_that_reads_forward_only(model):
    predictor = Predictor(OneDirection(model), Settings())
    forward, both = (
        b"".join(predictor.represent(RepresentRequest(texts=["fine"], direction=direction)).pieces())
        for direction in ("forward", "both")
    )
    assert forward == both


def test_a_lone_surrogate_is_that_texts_error(model):
    answer = Predictor(model, Settings()).predict(PredictRequest.model_construct(texts=["fine", "\ud800"]))
    assert [result.index for result in answer.results] == [0]
    assert [(error.index, error.code) for error in answer.errors] == [(1, "invalid_text")]


def test_a_polarity_may_be_unknown(model):
    prediction = model.predict(["fine"])[0]
    undirected = SimpleNamespace(**{name: getattr(prediction, name) for name in prediction.__slots__})
    undirected.polarity, undirected.token_count, undirected.unknown_count = None, 1, 0
    undirected.truncated = False
    stand_in = OneDirection(model)
    stand_in.predict_tokenized = lambda _texts, **_options: [undirected]
    answer = Predictor(stand_in, Settings()).predict(PredictRequest(texts=["fine"]))
    assert answer.results[0].polarity is None
