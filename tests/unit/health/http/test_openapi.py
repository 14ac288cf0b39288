"""The OpenAPI document is valid, and describes the real routes and answers."""

from __future__ import annotations

import dataclasses
import json
import re
from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from larp_cli import __version__
from larp_cli.health.http.app import Site, details
from larp_cli.health.http.metrics import CONTENT_TYPE
from larp_cli.health.http.openapi import load_document, resolve_reference
from larp_cli.health.http.probes import format_verdict
from larp_cli.health.monitor import Monitor, Sample
from larp_cli.results.health import CheckResult, CheckStatus, Reason
from tests import monitors

DOCUMENT = load_document("LARP Manager", "/api/v1")
OPERATIONS = [
    pytest.param(path, method, operation, id=f"{method} {path}")
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
    if method in ("get", "head")
]
MONITORS = {
    "new": monitors.monitor,
    "ready": lambda: monitors.monitor(monitors.report()),
    "warned": lambda: monitors.monitor(monitors.warned()),
    "behind": lambda: monitors.monitor(monitors.behind()),
    "unanswered": lambda: monitors.monitor(monitors.report(), monitors.unanswered()),
    "stalled": lambda: monitors.stalled(monitors.report()),
}


@pytest.fixture(params=MONITORS)
def made(request: pytest.FixtureRequest) -> Monitor:
    """A monitor in each of its states."""
    monitor: Monitor = MONITORS[request.param]()  # type: ignore[no-untyped-call]
    return monitor


def answers(operation: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the answers of an operation by their status."""
    return {
        code: resolve_reference(DOCUMENT, answer) for code, answer in operation["responses"].items()
    }


def errors(name: str, instance: Any) -> list[str]:
    """List where an answer is not what its schema says."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    validator = OAS31Validator(schema, format_checker=OAS31Validator.FORMAT_CHECKER)
    return [error.message for error in validator.iter_errors(instance)]


def test_the_document_is_valid() -> None:
    """The document is OpenAPI 3.1, and JSON."""
    OpenAPIV31SpecValidator(json.loads(json.dumps(DOCUMENT))).validate()


def test_every_path_of_the_server_is_described() -> None:
    """The document has each path that the application has, and no other."""
    made = monitors.monitor()
    routes = Site(made, monitors.options(made)).routes()

    assert {route.path for route in routes} == set(DOCUMENT["paths"])


def test_the_prefix_of_the_api_is_the_one_that_is_set() -> None:
    """The status stands where API_V1_PREFIX puts it."""
    document = load_document("X", "/other")

    assert list(document["paths"]) == [
        path.replace("/api/v1", "/other") for path in DOCUMENT["paths"]
    ]
    assert "/other/status" in document["paths"]
    OpenAPIV31SpecValidator(document).validate()


def test_the_names_are_those_of_the_enumerations() -> None:
    """A reason that is added is in the document at once."""
    schemas = DOCUMENT["components"]["schemas"]

    assert schemas["Reason"]["enum"] == [reason.value for reason in Reason]
    assert schemas["Status"]["enum"] == [status.value for status in CheckStatus]


@pytest.mark.parametrize(("name", "kind"), [("Check", CheckResult), ("Sample", Sample)])
def test_a_schema_has_the_fields_of_its_result(name: str, kind: type) -> None:
    """A field that is added to a result is missing in the document at once."""
    schema = DOCUMENT["components"]["schemas"][name]

    assert list(schema["properties"]) == [field.name for field in dataclasses.fields(kind)]


def test_an_object_says_which_fields_it_always_has() -> None:
    """All but the id of a request, which is missing where none was read."""
    schemas = DOCUMENT["components"]["schemas"]
    optional = {
        (name, field)
        for name, schema in schemas.items()
        for field in schema.get("properties", {})
        if field not in schema["required"]
    }

    assert optional == {("Problem", "request_id")}
    for name, schema in schemas.items():
        assert schema["description"], name
        assert schema.get("additionalProperties", False) is False, name


def test_every_part_is_used() -> None:
    """Nothing is described that no path refers to."""
    text = json.dumps(DOCUMENT)

    for kind in ("headers", "parameters", "responses", "schemas"):
        for name in DOCUMENT["components"][kind]:
            assert f'"#/components/{kind}/{name}"' in text, name


def test_version_and_license_are_those_of_the_package() -> None:
    """The document says whose it is."""
    info = DOCUMENT["info"]

    assert (info["title"], info["version"]) == ("LARP Manager: health", __version__)
    assert info["license"]["identifier"] == "MIT"


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_an_operation_is_described(path: str, method: str, operation: dict[str, Any]) -> None:
    """Each operation has an id, a known tag, and its path a summary; HEAD answers as GET does."""
    item = DOCUMENT["paths"][path]

    assert re.fullmatch(rf"{method}[A-Z][A-Za-z]+", operation["operationId"])
    assert item["summary"]
    assert item["parameters"] == [{"$ref": "#/components/parameters/RequestID"}]
    assert set(operation["tags"]) <= {tag["name"] for tag in DOCUMENT["tags"]}
    assert {**operation, "operationId": ""} == {**item["get"], "operationId": ""}


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_every_answer_has_its_headers(path: str, method: str, operation: dict[str, Any]) -> None:
    """Each answer has its id, may not be cached, and with 503 says when to come again."""
    assert "413" in operation["responses"]
    for code, answer in answers(operation).items():
        assert answer["description"]
        assert "X-Request-ID" in answer["headers"]
        assert ("Cache-Control" in answer["headers"]) == (code != "413")
        assert ("Retry-After" in answer["headers"]) == (code == "503")
        assert len(answer["content"]) == 1


def test_an_operation_has_an_id_of_its_own() -> None:
    """No two operations share an id."""
    operations: list[Any] = [parameter.values[2] for parameter in OPERATIONS]
    ids = [operation["operationId"] for operation in operations]

    assert len(set(ids)) == len(ids)


def test_errors_are_problems() -> None:
    """What is no answer has the form of RFC 9457."""
    status = answers(DOCUMENT["paths"]["/api/v1/status"]["get"])

    assert list(status) == ["200", "401", "413"]
    assert list(status["401"]["content"]) == ["application/problem+json"]
    assert "404" in DOCUMENT["paths"]["/metrics"]["get"]["responses"]
    assert not errors("Problem", {"type": "about:blank", "title": "Not Found", "status": 404})


def test_the_token_is_optional_where_it_is_of_use() -> None:
    """Only status, metrics and the page for people do more with a token."""
    with_token = {path for path, item in DOCUMENT["paths"].items() if "security" in item["get"]}

    assert with_token == {"/api/v1/status", "/metrics", "/"}
    assert DOCUMENT["paths"]["/metrics"]["get"]["security"] == [{}, {"bearer": []}]


def test_the_metrics_are_what_their_content_type_says() -> None:
    """The document and the answer name the same format."""
    answer = answers(DOCUMENT["paths"]["/metrics"]["get"])["200"]

    assert list(answer["content"]) == [CONTENT_TYPE]


def test_a_probe_answers_as_described(made: Monitor) -> None:
    """In every state the probes answer with what the document says."""
    for verdict, well in ((made.database, "Answering"), (made.ready, "Ready")):
        name = "Unavailable" if verdict.status is CheckStatus.FAIL else well
        assert not errors(name, json.loads(format_verdict(made, verdict)))


def test_the_details_are_as_described(made: Monitor) -> None:
    """In every state the details are what the document says, field by field."""
    assert not errors("Details", details(made))


def test_what_is_not_described_is_found() -> None:
    """The schemas are exact: a field more, or a word that is not on the list, is an error."""
    answer = json.loads(format_verdict(made := monitors.monitor(monitors.report()), made.ready))

    assert errors("Ready", {**answer, "host": "db"})
    assert errors("Unavailable", {**answer, "status": "fail", "reason": "bad mood"})
    assert errors("Details", {**details(made), "checked_at": "yesterday"})
