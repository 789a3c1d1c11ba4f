"""Headers that every response has, whichever layer made it, and none that a client can forge."""

import pytest

CALLS = [
    ("GET", "/", 200),
    ("GET", "/docs", 200),
    ("GET", "/assets/app.js", 200),
    ("GET", "/assets/nothing.js", 404),
    ("GET", "/v1/model", 200),
    ("GET", "/openapi.json", 200),
    ("GET", "/livez", 200),
    ("GET", "/readyz", 200),
    ("GET", "/metrics", 200),
    ("GET", "/v2", 200),
    ("GET", "/nothing", 404),
    ("PUT", "/v1/predict", 405),
    ("POST", "/v1/predict", 422),
    ("POST", "/v1/bulk", 200),
]
PAGES = {"/", "/docs", "/assets/app.js"}


@pytest.mark.parametrize(("method", "path", "status"), CALLS)
def test_no_answer_is_sniffed_and_only_the_pages_own_files_are_kept(client, method, path, status):
    response = client.request(method, path)
    assert response.status_code == status
    assert response.headers.get_list("x-content-type-options") == ["nosniff"]
    assert response.headers.get_list("cache-control") == ["no-cache" if path in PAGES else "no-store"]


def test_an_answer_about_texts_is_kept_nowhere(client):
    response = client.post("/v1/predict", json={"texts": ["fine"]})
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"


def test_a_file_that_is_current_is_not_sent_again(client):
    first = client.get("/assets/app.js")
    again = client.get("/assets/app.js", headers={"if-none-match": first.headers["etag"]})
    assert again.status_code == 304
    assert again.headers["cache-control"] == "no-cache"


PATHS = ["/docs/", "/assets", "/assets/", "/v1/predict/", "/v1/model/", "/v2/", "/v2/models/tiny/", "/livez/"]


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
@pytest.mark.parametrize("path", PATHS)
def test_no_redirect_repeats_the_host_that_a_client_names(client, method, path):
    response = client.request(method, path, headers={"host": "evil.example"}, follow_redirects=False)
    assert response.status_code in {404, 405}
    assert "evil.example" not in str(response.headers) + response.text
