"""API keys and other origins."""

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from service.middleware.stack import build_middleware
from service.routes import TABLE
from service.settings import Settings

KEYS = "first-key-of-sixteen, second-key-of-sixteen"
PATHS = ("/", "/livez", "/readyz", "/assets/app.js", "/docs", "/v1/model", "/v1/predict", "/metrics", "/openapi.json")


def client(**settings):
    routes = [Route(path, lambda _: PlainTextResponse("fine"), methods=["GET", "POST"]) for path in PATHS]
    return TestClient(Starlette(routes=routes, middleware=build_middleware(Settings(**settings), TABLE)))


@pytest.mark.parametrize("path", ["/v1/model", "/v1/predict", "/metrics", "/openapi.json", "/nothing"])
def test_without_a_key_nothing_is_told_of_the_model(path):
    response = client(api_keys=KEYS).post(path, json={})
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert response.json()["error"]["code"] == "unauthorized"


@pytest.mark.parametrize("path", ["/", "/livez", "/readyz", "/assets/app.js", "/docs"])
def test_probes_and_the_pages_own_files_need_no_key(path):
    assert client(api_keys=KEYS).get(path).status_code == 200


@pytest.mark.parametrize("key", ["first-key-of-sixteen", "second-key-of-sixteen"])
@pytest.mark.parametrize("header", ["Authorization: Bearer {}", "authorization: bearer  {}", "X-API-Key: {}"])
def test_any_of_the_keys_opens_in_either_header(key, header):
    name, value = header.format(key).split(": ", 1)
    assert client(api_keys=KEYS).get("/v1/model", headers={name: value}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Basic first-key-of-sixteen"},
        {"authorization": "Bearer first-key-of-sixtee"},
        {"authorization": "Bearer"},
        {"x-api-key": ""},
        {"x-api-key": KEYS},
        {"x-api-key": "\u00ff\u00e9"},
    ],
)
def test_anything_else_does_not(headers):
    raw = {name: value.encode("latin-1") for name, value in headers.items()}
    assert client(api_keys=KEYS).get("/v1/model", headers=raw).status_code == 401


def test_without_keys_every_call_is_open():
    assert client().get("/v1/model").status_code == 200


def preflight(service, origin):
    headers = {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type,x-api-key",
    }
    return service.options("/v1/predict", headers=headers)


def test_other_origins_may_not_call_by_default():
    service = client()
    assert preflight(service, "https://a.example").status_code == 405
    assert (
        "access-control-allow-origin" not in service.get("/v1/model", headers={"origin": "https://a.example"}).headers
    )


def test_a_named_origin_may_call_and_its_preflight_needs_no_key():
    service = client(cors_origins="https://a.example", api_keys=KEYS)
    allowed = preflight(service, "https://a.example")
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == "https://a.example"
    refused = preflight(service, "https://b.example")
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "bad_request")


def test_a_page_of_a_named_origin_can_read_errors_too():
    response = client(cors_origins="https://a.example", api_keys=KEYS).get(
        "/v1/model", headers={"origin": "https://a.example"}
    )
    assert response.status_code == 401
    assert response.headers["access-control-allow-origin"] == "https://a.example"
