"""What schemathesis makes of the OpenAPI document, valid and invalid, is answered as the document says."""

import json

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from service.endpoints import Body
from service.routes import ENDPOINTS

pytestmark = pytest.mark.slow

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    unsupported_method,
]
INAPPLICABLE = {
    # A tensor's shape must fit its data, which JSON Schema cannot say.
    "/v2/models/{name}/infer": [positive_data_acceptance],
    "/v2/models/{name}/versions/{version}/infer": [positive_data_acceptance],
    # Whatever the body, each of its lines has its answer.
    "/v1/bulk": [negative_data_rejection],
}
CASES = 200
"""Of each operation, valid ones and as many invalid ones."""

OPERATIONS = [(endpoint.path, endpoint.method) for endpoint in ENDPOINTS if endpoint.operation]
WITH_BODY = [(endpoint.path, endpoint.method) for endpoint in ENDPOINTS if endpoint.body is not Body.NONE]


@schemathesis.serializer("application/x-ndjson")
def _lines(_context, value):
    return value.encode() if isinstance(value, str) else json.dumps(value).encode()


@schemathesis.deserializer("application/x-ndjson")
def _text(_context, response):
    return response.content.decode()


@pytest.fixture(scope="session")
def api(server):
    return schemathesis.openapi.from_url(f"{server.url}/openapi.json")


@pytest.mark.parametrize(
    ("path", "method", "mode"),
    [
        *((*operation, GenerationMode.POSITIVE) for operation in OPERATIONS),
        *((*operation, GenerationMode.NEGATIVE) for operation in WITH_BODY),
    ],
)
def test_the_service_does_what_its_document_says(api, server, path, method, mode):
    operation = api[path][method]
    checks = [check for check in CHECKS if check not in INAPPLICABLE.get(path, ())]

    @settings(
        max_examples=CASES if operation.body else 5,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def answers_as_described(case):
        case.call_and_validate(base_url=server.url, checks=checks)

    answers_as_described()


def test_the_list_of_operations_is_whole(api):
    assert {(one.ok().path, one.ok().method.upper()) for one in api.get_all_operations()} == set(OPERATIONS)
