"""docs/openapi.json is valid, written by `make openapi`, and has the routes of the template."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from scripts.openapi.document import DIALECT, FILES, READABLE, SERVED, format_document, make_document
from scripts.openapi.examples import list_answers, section_of
from scripts.openapi.gateway_refusals import OF_THE_AUTHORIZER, TOO_LARGE, WITHOUT_ROUTE
from scripts.openapi.headers import UNLISTED, header_references
from scripts.openapi.problems import PROBLEM
from scripts.openapi.routes import DeployedRoute, list_routes
from tenancy.gateway.answers import answers_of
from tenancy.gateway.rights import for_operators
from tests.docs.test_api_reference import SECTIONS, STAGE
from tests.given import ROOT
from tests.handlers.documented import check_documented, operations, read_document, resolved, validator
from tests.members import for_each
from tests.template.template import FOLDERS, RESOURCES, routes

GATEWAY = RESOURCES["Api"]["Properties"]["GatewayResponses"]
HEALTH = {"httpMethod": "GET", "path": "/health"}
HEALTHY: dict[str, Any] = {
    "statusCode": 200,
    "headers": {"Content-Type": "application/json", "X-Request-Id": "r-1"},
    "body": '{"status": "ok"}',
}
MAX_SERVED_BYTES = 500_000  # a tenth of the largest answer
NAMES = sorted(operations())
# Routes that succeed with an OpenID Connect provider only. None runs beside the documents.
NEEDS_A_PROVIDER = {("GET", "/sso"), ("PUT", "/sso"), ("POST", "/auth/sso/token")}
# Public routes whose request may name an organization.
OF_PEOPLE = {
    "/auth/token",
    "/auth/refresh",
    "/auth/logout",
    "/auth/password-reset",
    "/auth/password-reset/confirm",
    "/users/accept",
    "/auth/sso/start",
    "/auth/sso/callback/{organization_id}",
    "/auth/sso/acs",
    "/auth/sso/finish",
    "/auth/sso/metadata",
    "/auth/sso/token",
    "/branding",
    "/branding/images/{organization_id}/{digest}",
}


def operations_with(name: str) -> list[tuple[str, str]]:
    """Return the operations that can have the gateway response *name*."""
    public = {(route["Method"], route["Path"]) for each in FOLDERS for route in routes(each) if "Auth" in route}
    if name in WITHOUT_ROUTE:
        return []
    return [route for route in NAMES if name not in OF_THE_AUTHORIZER or route not in public]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return make_document()


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_file_is_written_by_make_openapi(document: dict[str, Any], file: Any) -> None:  # noqa: ANN401 - a path
    assert file.read_text() == format_document(document, is_indented=FILES[file]), "run `make openapi`"


def test_document_is_valid_openapi() -> None:
    errors = [error.message for error in OpenAPIV31SpecValidator(read_document()).iter_errors()]

    assert errors == []


def test_document_names_its_dialect() -> None:
    assert read_document()["openapi"].startswith("3.1.")
    assert read_document()["jsonSchemaDialect"] == DIALECT


def test_document_has_exactly_the_routes_of_the_template() -> None:
    deployed = {(route["Method"], route["Path"]) for function in FOLDERS for route in routes(function)}

    assert set(operations()) == {(method, path) for method, path in deployed if method != "OPTIONS"}


def test_served_document_is_the_readable_one_and_small() -> None:
    assert json.loads(SERVED.read_text()) == json.loads(READABLE.read_text())
    assert SERVED.stat().st_size <= MAX_SERVED_BYTES


def test_names_of_operations_are_unique() -> None:
    names = [operation["operationId"] for operation in operations().values()]

    assert len(names) == len(set(names))


@for_each(("method", "path"), NAMES)
def test_operation_without_the_authorizer_has_no_401(method: str, path: str) -> None:
    operation = operations()[method, path]
    needs_credential = operation["security"] != []
    checks_itself = (
        path.startswith("/auth/sso/") and path != "/auth/sso/metadata"
    )  # its state, its code, or whether it may start
    checks_its_body = path in {"/auth/token", "/auth/refresh", "/auth/password-reset/confirm", "/users/accept"}

    assert ("401" in operation["responses"]) == (needs_credential or checks_its_body or checks_itself)
    assert ("403" in operation["responses"]) >= needs_credential


@for_each(("method", "path"), NAMES)
def test_security_of_an_operation_is_declared(method: str, path: str) -> None:
    declared = set(read_document()["components"]["securitySchemes"])

    used = {name for each in operations()[method, path]["security"] for name in each}

    assert used <= declared


@for_each(("method", "path"), NAMES)
def test_examples_fit_their_schemas(method: str, path: str) -> None:
    for schema, example in examples_of(operations()[method, path]):
        errors = [error.message for error in validator(schema).iter_errors(example)]

        assert errors == []


def examples_of(operation: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Any]]:
    """Yield each example of an operation with its schema."""
    contents = [*operation.get("requestBody", {}).get("content", {}).values()]
    for response in map(resolved, operation["responses"].values()):
        contents += response.get("content", {}).values()
    for holder in (*operation.get("parameters", []), *contents):
        for example in holder.get("examples", {}).values():
            yield holder["schema"], example["value"]


@for_each(("method", "path"), NAMES)
def test_operation_has_an_example_of_its_body(method: str, path: str) -> None:
    body = operations()[method, path].get("requestBody", {})

    assert [name for name, each in body.get("content", {}).items() if not each.get("examples")] == []


@for_each(("method", "path"), NAMES)
def test_2xx_with_a_body_has_an_example(method: str, path: str) -> None:
    missing = {
        (method, path, media_type)
        for status, response in operations()[method, path]["responses"].items()
        for media_type, content in resolved(response).get("content", {}).items()
        if status.startswith("2")
        and not content.get("examples")
        and (method, path) not in NEEDS_A_PROVIDER
        and not media_type.startswith("image/")
    }

    assert missing == set()


@for_each(("method", "path"), NAMES)
def test_operation_of_tenants_takes_their_organization(method: str, path: str) -> None:
    operation = operations()[method, path]
    schemes = {scheme for each in operation["security"] for scheme in each}

    is_taken = "X-Organization-ID" in {each["name"] for each in operation.get("parameters", [])}

    names_one = "{writeKey}" in path or path in OF_PEOPLE
    assert is_taken == (schemes - {"platformKey"} != set() or names_one)


@for_each("name", [name for name, each in GATEWAY.items() if "StatusCode" in each])
def test_gateway_response_is_in_the_operations(name: str) -> None:
    """A new type in the template is expected in each operation, with the body and headers of the template."""
    refusal = GATEWAY[name]
    [(media_type, text)] = refusal["ResponseTemplates"].items()
    sent = {key.lower(): value for key, value in refusal["ResponseParameters"]["Headers"].items()}

    for route in operations_with(name):
        response = resolved(operations()[route]["responses"][str(refusal["StatusCode"])])
        schema = response["content"][sent.get("content-type", media_type).strip("'")]["schema"]
        described = {key.lower(): resolved(each)["required"] for key, each in response["headers"].items()}

        assert [error.message for error in validator(schema).iter_errors(json.loads(text))] == [], route
        assert set(sent) - UNLISTED <= set(described), route
        assert {key for key, is_required in described.items() if is_required} <= set(sent), route


@for_each("route", NAMES)
def test_too_large_request_has_the_form_of_aws(route: tuple[str, str]) -> None:
    response = resolved(operations()[route]["responses"][str(TOO_LARGE.status)])

    schema = response["content"][TOO_LARGE.media_type]["schema"]

    assert validator(schema).is_valid(TOO_LARGE.body)
    assert [key for key, each in response["headers"].items() if resolved(each)["required"]] == []
    assert TOO_LARGE.name not in GATEWAY  # AWS ignores a template for it


def test_answer_with_an_unknown_header_fails() -> None:
    answer = {**HEALTHY, "headers": {**HEALTHY["headers"], "Server-Timing": "1"}}

    with pytest.raises(AssertionError, match="server-timing"):
        check_documented(HEALTH, answer)


def test_answer_without_a_required_header_fails() -> None:
    with pytest.raises(AssertionError, match="x-request-id"):
        check_documented(HEALTH, {**HEALTHY, "headers": {"Content-Type": "application/json"}})


def test_undescribed_header_is_named() -> None:
    with pytest.raises(LookupError, match="Server-Timing"):
        header_references(["Server-Timing"])


def test_each_refusal_of_the_reference_is_in_the_document() -> None:
    """The table of docs/api.md and the document name the same codes."""
    text = (ROOT / "docs/api.md").read_text()
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| ") and line[2:5].isdigit()]
    documented = {
        (str(example["value"]["status"]), example["value"]["code"])
        for response in read_document()["components"]["responses"].values()
        for example in response["content"].get(PROBLEM, {}).get("examples", {}).values()
    }

    listed = {(row[0].removeprefix("| "), row[1].strip("`")) for row in rows}

    assert listed == documented


def test_undocumented_route_is_named() -> None:
    @for_operators
    def show() -> None: ...

    with pytest.raises(LookupError, match="show"):
        answers_of(show)


def test_route_without_a_section_is_named() -> None:
    with pytest.raises(LookupError, match="GET /nowhere"):
        section_of(DeployedRoute(method="GET", path="/nowhere", function="usage"))


def test_routes_are_read_from_the_template() -> None:
    assert [str(route) for route in list_routes() if route.path == "/openapi.json"] == ["GET /openapi.json"]


def shown_answers() -> Iterator[tuple[str, str, Any]]:
    """Yield each whole answer in docs/api.md with the route of its section."""
    for (method, path), body in SECTIONS.items():
        for answer in list_answers(body):
            yield method, path.removeprefix(STAGE), answer


@for_each(("method", "path", "answer"), list(shown_answers()))
def test_answer_in_the_reference_fits_an_answer_of_its_route(method: str, path: str, answer: Any) -> None:  # noqa: ANN401
    responses = [resolved(each) for each in operations()[method, path]["responses"].values()]
    schemas = [content["schema"] for each in responses for content in each.get("content", {}).values()]

    assert any(validator(schema).is_valid(answer) for schema in schemas)
