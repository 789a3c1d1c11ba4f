"""Feedback over HTTP."""

import pytest
from starlette.testclient import TestClient

from model_store.feedback import Feedback, read_feedback
from service import routes
from service.feedback.routes import FeedbackDesk
from service.settings import Settings, SettingsError
from tests.support.served import served_models


@pytest.fixture
def ask(tmp_path):
    """``ask(bundle, body, **settings)``: the response, with feedback in feedback.db."""

    def post(bundle, body, **options):
        settings = Settings(feedback=tmp_path / "feedback.db", **options)
        app = routes.create_app(settings)
        app.state.served = routes.serve(served_models(bundle, settings=settings), settings)
        return TestClient(app).post("/v1/feedback", json=body)

    return post


def stored(tmp_path):
    return list(read_feedback(tmp_path / "feedback.db"))


BODY = {"request_id": "r1", "feedback": [{"index": 3, "label": "negative", "text": "Not good."}]}


@pytest.mark.parametrize(("keeps", "text"), [(False, None), (True, "Not good.")])
def test_an_entry_is_stored_and_its_text_only_if_the_operator_wants_it(ask, tiny_bundle, tmp_path, keeps, text):
    response = ask(tiny_bundle, BODY, feedback_texts=keeps)
    assert (response.status_code, response.json()) == (200, {"stored": 1})
    assert stored(tmp_path) == [Feedback("r1", 3, "tiny:1", ("negative",), text)]


def test_a_model_with_several_labels_takes_lists(ask, multi_label_bundle, tiny_bundle, tmp_path):
    labels = ["negative", "positive"]
    several = {"request_id": "r1", "feedback": [{"label": labels}, {"index": 1, "label": []}]}
    assert ask(multi_label_bundle, several).status_code == 200
    assert [entry.labels for entry in stored(tmp_path)] == [tuple(labels), ()]
    for bundle, body in ((multi_label_bundle, BODY), (tiny_bundle, several)):
        assert ask(bundle, body).json()["error"]["param"] == "feedback.0.label"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"feedback": [{"label": "angry"}]}, (422, "angry is not one of the model's labels: negative, neutral")),
        ({"feedback": [{"label": 3}]}, (422, "Input should be a label, or a list of labels")),
        ({"feedback": []}, (422, "at least 1 item")),
        ({"feedback": [{"label": "negative"}] * 65}, (422, "at most 64 items")),
        ({"request_id": ""}, (422, "at least 1 character")),
        ({"model": "other"}, (404, "this server has tiny:1")),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_stored(ask, tiny_bundle, tmp_path, change, expected):
    response = ask(tiny_bundle, {**BODY, **change})
    assert response.status_code == expected[0]
    assert expected[1] in response.json()["error"]["message"]
    assert stored(tmp_path) == []


def test_without_a_file_there_is_no_such_call(tiny_bundle):
    app = routes.create_app(Settings())
    app.state.served = routes.serve(served_models(tiny_bundle, settings=Settings()), Settings())
    assert TestClient(app).post("/v1/feedback", json=BODY).status_code == 404
    assert FeedbackDesk.of(Settings()) is None


def test_a_file_that_cannot_be_used_stops_the_start(tmp_path):
    with pytest.raises(SettingsError, match="SENTIMENT_FEEDBACK="):
        FeedbackDesk.of(Settings(feedback=tmp_path))
