"""What can be read with GET: the page, the documentation, the model card, the probes."""

import json
import re

import pytest

from model_store import Manifest, SentimentModel, __version__
from service.model_card import model_card, model_summary
from service.routes import WEB
from service.settings import Settings

ELSEWHERE = re.compile(r"""(?:https?:)?//[\w-]+(?:\.[\w-]+)+""")
ASSETS = [f"/assets/{file.name}" for file in sorted(WEB.iterdir()) if file.suffix != ".html"]
PARTS_OF_THE_PAGES = ["/", "/docs", *ASSETS]


@pytest.mark.parametrize("path", PARTS_OF_THE_PAGES)
def test_the_pages_name_nothing_from_elsewhere(client, path):
    response = client.get(path)
    assert response.status_code == 200
    assert ELSEWHERE.findall(response.text.replace("http://www.w3.org/2000/svg", "")) == []


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_everything_a_page_refers_to_is_there(client, path):
    page = client.get(path).text
    references = re.findall(r'(?:href|src)="([^"#]+)"', page)
    assert references
    for reference in references:
        assert client.get("/" + reference.removeprefix("./")).status_code == 200, reference


@pytest.mark.parametrize("path", PARTS_OF_THE_PAGES)
def test_the_pages_may_load_nothing_from_elsewhere_and_run_nothing_inline(client, path):
    headers = client.get(path).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", PARTS_OF_THE_PAGES)
def test_a_browser_may_keep_the_pages_own_files_if_it_asks_each_time(client, path):
    assert client.get(path).headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("name", ["index.html", "docs.html"])
def test_the_pages_have_nothing_inline(name):
    page = (WEB / name).read_text()
    assert "<style" not in page
    assert not re.search(r"\s(?:style|on\w+)=", page)
    assert all("src=" in script for script in re.findall(r"<script[^>]*>", page))


def test_the_page_is_ours_and_starts_with_the_example(client):
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert "The movie was terribly exciting!" in page.text
    assert "bentoml" not in page.text.lower()


EVALUATION = {"metrics", "risk_coverage", "length_groups", "behaviour", "comparison", "known_failures", "reference"}


def test_the_model_card_is_manifest_and_evaluation_with_the_limits_in_force(client, model, tiny_bundle):
    card = client.get("/v1/model?evaluation=true").json()
    manifest = Manifest.model_validate_json((tiny_bundle / "manifest.json").read_text())
    expected = manifest.model_dump(mode="json", exclude={"format_version", "files", "libraries", "limits"})
    evaluation = json.loads((tiny_bundle / "evaluation.json").read_text())["evaluation"]
    expected |= {"reference": None}  # written only where there is one
    expected |= {"behaviour" if name == "behavior" else name: value for name, value in evaluation.items()}
    limits = card.pop("limits")
    assert card.pop("sha256") == model.sha256
    assert card.pop("service_version") == __version__
    assert card == expected
    assert limits == {
        "max_tokens": manifest.limits.max_tokens,
        "max_characters": 4_000,
        "max_texts": 8,
        "max_body_bytes": 65_536,
        "max_request_tokens": 131_072,
        "max_request_numbers": 4_194_304,
        "deadline_seconds": 30.0,
    }


def test_the_evaluation_comes_only_when_asked_for(client):
    whole, plain = (client.get(f"/v1/model{query}").json() for query in ("?evaluation=true", ""))
    assert whole.keys() - plain.keys() == EVALUATION
    assert plain.items() <= whole.items()
    assert client.get("/v1/model?evaluation=false").json() == plain


def test_the_shipped_models_answer_is_kilobytes():
    card = model_card("a", SentimentModel.load(), Settings())
    assert len(model_summary(card)) < 10_000 < len(card.model_dump_json())


@pytest.mark.parametrize(("query", "param"), [("evaluation=yes", "evaluation"), ("evaluations=true", "evaluations")])
def test_a_wrong_parameter_is_the_requests_error(client, query, param):
    response = client.get(f"/v1/model?{query}")
    assert (response.status_code, response.json()["error"]["param"]) == (422, param)


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz"])
def test_the_probes_answer(client, path):
    assert client.get(path).status_code == 200


def test_the_metrics_count_the_calls(client):
    client.post("/v1/predict", json={"texts": ["fine"]})
    metrics = client.get("/metrics").text
    assert 'sentiment_requests_total{endpoint="/v1/predict",status="200"}' in metrics
