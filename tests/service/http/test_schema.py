"""The OpenAPI description is valid, and the server does what it says; generated requests try to prove otherwise."""

from __future__ import annotations

import copy

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from schemathesis import Case, CheckContext, GenerationMode, Response
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from text_recognizer.service.app import create_app
from text_recognizer.service.settings import Settings

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
    allow_header_conformance,
    unsupported_method,
]


def refused(context: CheckContext, response: Response, case: Case) -> bool | None:
    """As Schemathesis has it, but that a body may be refused for its size before anybody looks into it."""
    return None if response.status_code == 413 else negative_data_rejection(context, response, case)


DESCRIPTION = create_app(Settings()).openapi()
OPERATIONS = [found.ok() for found in schemathesis.openapi.from_dict(copy.deepcopy(DESCRIPTION)).get_all_operations()]
few = settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def description() -> dict:
    return DESCRIPTION


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_generated_requests_get_what_the_description_says(server, operation):
    @few
    @given(operation.as_strategy())
    def check(case: Case) -> None:
        case.call_and_validate(base_url=server.url, checks=CHECKS)

    check()


@pytest.mark.parametrize(
    "operation", [found for found in OPERATIONS if found.body or found.query], ids=lambda operation: operation.label
)
def test_what_the_description_forbids_is_refused(server, operation):
    @settings(few, max_examples=6)
    @given(operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))
    def check(case: Case) -> None:
        case.call_and_validate(base_url=server.url, checks=[not_a_server_error, refused])

    check()


def test_the_description_is_valid(description):
    validate(description)
    assert "$defs" not in str(description), "references must lead somewhere"


def test_every_request_is_shown_with_an_example(description):
    bodies = {
        (path, kind): content["schema"]
        for path, item in description["paths"].items()
        for operation in item.values()
        for kind, content in operation.get("requestBody", {}).get("content", {}).items()
        if kind == "application/json"
    }
    assert {path for path, _ in bodies} >= {"/v1/predict", "/v1/batch", "/v1/feedback", "/v1/format"}
    for found in bodies.values():
        name = found.get("$ref", "").rpartition("/")[2]
        whole = description["components"]["schemas"][name] if name else found
        if name == "ConsentRequest":
            continue
        root = whole | {"components": description["components"]}
        for example in whole["examples"]:
            Draft202012Validator(root).validate(example)


def test_every_route_says_how_it_refuses(description):
    for path, item in description["paths"].items():
        for method, operation in item.items():
            assert operation["summary"], (method, path)
            if path.startswith("/v1/"):
                refusals = [code for code in operation["responses"] if code.startswith(("4", "5"))]
                assert refusals, (method, path)
                for code in refusals:
                    assert set(operation["responses"][code]["content"]) == {"application/problem+json"}, (path, code)
