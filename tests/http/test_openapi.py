"""The OpenAPI document is complete, and what it shows works as shown."""

import json
import re

import jsonschema_rs
import pytest

from service.endpoints import Body
from service.errors import ERRORS
from service.routes import ENDPOINTS

NDJSON = "application/x-ndjson"
PATHS = {
    "/v1/predict",
    "/v1/represent",
    "/v1/bulk",
    "/v1/model",
    "/v1/models",
    "/v1/models/{name}",
    "/v2/repository/index",
    "/v2",
    "/v2/health/live",
    "/v2/health/ready",
    *(
        f"/v2/models/{{name}}{version}{action}"
        for version in ("", "/versions/{version}")
        for action in ("", "/ready", "/infer")
    ),
    "/livez",
    "/readyz",
    "/metrics",
}


@pytest.fixture(scope="module")
def document(client):
    return client.get("/openapi.json").json()


def operations(document):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def validator(document, schema):
    return jsonschema_rs.Draft202012Validator({**schema, "components": document["components"]})


def filled(path, operation):
    """The path with the one value that each of its parameters may have."""
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "path":
            (value,) = parameter["schema"]["enum"]
            path = path.replace(f"{{{parameter['name']}}}", value)
    return path


def test_it_describes_every_call_and_is_the_only_one(client, document):
    assert set(document["paths"]) == PATHS
    assert client.get("/docs.json").json() == document


def test_it_names_the_limits_in_force(document):
    schemas = document["components"]["schemas"]
    assert schemas["PredictRequest"]["properties"]["texts"]["maxItems"] == 8
    assert schemas["RepresentRequest"]["properties"]["layers"]["items"]["enum"] == [-2, -1, 1, 2]


def test_every_reference_leads_somewhere(document):
    references = set(re.findall(r'"\$ref": "([^"]+)"', json.dumps(document)))
    assert references
    for reference in references:
        assert reference.removeprefix("#/components/schemas/") in document["components"]["schemas"]


def test_every_operation_has_a_name_of_its_own_and_a_summary(document):
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(names)) == len(names)
    assert all(operation["summary"] for _, _, operation in operations(document))


@pytest.mark.parametrize("name", ["PredictRequest", "RepresentRequest", "BulkLine", "InferRequest"])
def test_every_field_a_client_sends_is_described(document, name):
    for field, schema in document["components"]["schemas"][name]["properties"].items():
        assert schema.get("description") or schema.get("items"), f"{name}.{field}"


def test_every_error_of_the_table_is_described_somewhere(document):
    text = json.dumps(document["paths"])
    # What other paths, methods and framings get, and a call that is there only with keys.
    nowhere = {"bad_request", "not_found", "method_not_allowed", "bad_model"}
    assert {code for code in ERRORS if f"`{code}`" not in text} <= nowhere


def test_every_get_answers_as_described(client, document):
    for path, method, operation in operations(document):
        if method != "get":
            continue
        response = client.get(filled(path, operation))
        assert response.status_code == 200, path
        ((media_type, content),) = operation["responses"]["200"]["content"].items()
        assert response.headers["content-type"].partition(";")[0] == media_type
        if media_type == "application/json":
            validator(document, content["schema"]).validate(response.json())


EXAMPLES = [
    (endpoint.path, name)
    for endpoint in ENDPOINTS
    if endpoint.operation and endpoint.body is Body.WHOLE
    for name in endpoint.operation.examples
]


@pytest.mark.parametrize(("path", "name"), EXAMPLES)
def test_every_example_runs_as_shown(client, document, path, name):
    operation = document["paths"][path]["post"]
    content = operation["requestBody"]["content"]["application/json"]
    value = content["examples"][name]["value"]
    validator(document, content["schema"]).validate(value)
    response = client.post(filled(path, operation), json=value)
    assert response.status_code == 200
    answer = response.json()
    validator(document, operation["responses"]["200"]["content"]["application/json"]["schema"]).validate(answer)
    assert answer.get("errors", []) == []


def test_the_example_of_a_stream_runs_as_shown(client, document):
    operation = document["paths"]["/v1/bulk"]["post"]
    content = operation["requestBody"]["content"][NDJSON]
    (example,) = content["examples"].values()
    for line in example["value"].splitlines():
        validator(document, content["x-line"]).validate(json.loads(line))
    response = client.post("/v1/bulk", content=example["value"].encode(), headers={"content-type": NDJSON})
    lines = [json.loads(line) for line in response.text.splitlines()]
    described = operation["responses"]["200"]["content"][NDJSON]["x-line"]
    for line in lines:
        validator(document, described).validate(line)
        assert "code" not in line
    assert len(lines) == 2


def test_every_error_seen_here_is_described_with_its_form(client, document):
    bad = {
        "/v1/predict": [({"texts": []}, 422), ({"texts": ["a"] * 9}, 422)],
        "/v1/represent": [({"texts": ["a"], "layers": [9]}, 422)],
        "/v2/models/{name}/infer": [({"inputs": []}, 400)],
    }
    for path, cases in bad.items():
        operation = document["paths"][path]["post"]
        for body, status in cases:
            response = client.post(filled(path, operation), json=body)
            assert response.status_code == status
            described = operation["responses"][str(status)]["content"]["application/json"]["schema"]
            validator(document, described).validate(response.json())
