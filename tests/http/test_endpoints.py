"""Every served route is in the table of endpoints, and what is not in it is refused."""

import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from service.endpoints import UNLISTED, Body
from service.routes import ENDPOINTS, TABLE, create_app
from service.settings import Settings


@pytest.fixture
def app():
    return create_app(Settings())


def test_every_served_route_is_in_the_table(app):
    served = {(route.path, method) for route in app.routes for method in route.methods - {"HEAD"}}
    assert served == {(endpoint.path, endpoint.method) for endpoint in ENDPOINTS}


def test_an_unlisted_post_is_refused_even_where_a_route_exists(app):
    called = []
    app.router.routes.append(
        Route("/v1/forgotten", lambda _: called.append(1) or PlainTextResponse(), methods=["POST"])
    )
    response = TestClient(app).post("/v1/forgotten", content=b"x" * 10_000_000)
    assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")
    assert called == []


def test_every_post_has_a_limit_on_its_body_its_slots_and_its_time_or_does_not_read_it():
    unread = {endpoint.path for endpoint in ENDPOINTS if endpoint.method == "POST" and endpoint.body is Body.NONE}
    assert {path for path in unread if not path.startswith("/v2/repository/")} == set()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v1/predict", "/v1/predict"),
        ("/v2/models/a/infer", "/v2/models/{name}/infer"),
        ("/v2/models/a/versions/1/infer", "/v2/models/{name}/infer"),
        ("/v2/models/a/versions/1/ready", "/v2/models/{name}"),
        ("/assets/page/app.js", "/assets"),
        ("/v1/predict/", "elsewhere"),
        ("/v1/predict\n", "elsewhere"),
        ("/v2/models/a/b/infer", "elsewhere"),
        ("/assets", "elsewhere"),
    ],
)
def test_a_path_counts_under_its_endpoint(path, expected):
    endpoint = TABLE.at(path)
    assert (endpoint.metric or endpoint.path) == expected
    assert (endpoint is UNLISTED) == (expected == "elsewhere")
