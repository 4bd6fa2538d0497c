"""Routes: which are public, which credential the others need, and how API Gateway itself refuses a request."""

import json
import re
from typing import Any

import pytest

from tenancy.errors import NO_ROUTE_TEXT, Refusal, UnauthenticatedError, UnavailableError
from tenancy.rules.durations import WRITE_KEY_CACHE_TIME
from tests.handlers.functions import running
from tests.members import for_each
from tests.template.app_source import resolver_routes
from tests.template.template import FOLDERS, RESOURCES, TEMPLATE, properties_of, routes

WITHOUT_AUTHORIZER = {"Authorizer": "NONE", "ApiKeyRequired": False}
# Routes that need no authorizer: health, public documents, the console, log-in and sessions, and the paths of Segment
# SDKs, whose write key the function itself checks.
PUBLIC = re.compile(
    r"/(health|openapi\.json|console(?:/\{file\})?|auth/(?:token|refresh|logout|password-reset(?:/confirm)?|sso/(?:start|callback/\{organization_id\}|acs|finish|metadata|token))|users/accept|branding(?:/images/\{organization_id\}/\{digest\})?|\.well-known/(jwks\.json|openid-configuration)|batch|b|import|track|t|identify|i|page|p|screen|s|group|g|alias|a|projects/\{writeKey\}/settings)"
)
NOT_PUBLIC = ("PUT", "/branding")  # the path of a public route
API = RESOURCES["Api"]["Properties"]
IDENTITY = API["Auth"]["Authorizers"]["Credential"]["Identity"]
# The variables that the access log may show. None has an address, a path, a query, a credential or a client's text.
LOGGED = {
    "$context.requestId",
    "$context.requestTimeEpoch",
    "$context.httpMethod",
    "$context.resourceId",
    "$context.status",
    "$context.error.responseType",
    "$context.authorizer.status",
    "$context.integration.status",
    "$context.integration.latency",
    "$context.identity.apiKeyId",
    "$context.responseLatency",
}
# Texts of the access log that every line has: the dimensions of its metric.
FIXED = {"tenancy", "${AWS::StackName}"}
# A type with a status here answers each unlisted refusal with it. REQUEST_TOO_LARGE keeps API Gateway's own answer.
WITHOUT_STATUS = {"DEFAULT_4XX"}
RESPONSES: dict[str, dict[str, Any]] = API["GatewayResponses"]
ROUTES = [route for function in FOLDERS for route in routes(function)]
WITH_RESOLVER = [function for function in FOLDERS if resolver_routes(function)]


def test_routes_need_a_credential_and_a_plan_by_default() -> None:
    auth = API["Auth"]

    assert (auth["DefaultAuthorizer"], auth["ApiKeyRequired"]) == ("Credential", True)


def test_route_has_the_default_or_no_authorizer() -> None:
    assert [route for route in ROUTES if route.get("Auth", WITHOUT_AUTHORIZER) != WITHOUT_AUTHORIZER] == []


def test_only_listed_routes_and_preflights_are_public() -> None:
    expected = [
        route
        for route in ROUTES
        if route["Method"] == "OPTIONS"
        or (PUBLIC.fullmatch(route["Path"]) and (route["Method"], route["Path"]) != NOT_PUBLIC)
    ]

    assert [route for route in ROUTES if "Auth" in route] == expected


def test_each_path_has_an_options_route() -> None:
    preflights = {route["Path"] for route in ROUTES if route["Method"] == "OPTIONS"}

    assert {route["Path"] for route in ROUTES} == preflights


def test_no_path_starts_with_the_stage() -> None:
    assert [route["Path"] for route in ROUTES if route["Path"].startswith("/v1")] == []


@pytest.mark.parametrize("function", WITH_RESOLVER)
def test_resolver_has_exactly_the_routes_of_the_template(function: str) -> None:
    deployed = {(route["Method"], route["Path"]) for route in routes(function) if route["Method"] != "OPTIONS"}
    documents = {(method, path) for method, path in deployed if path.startswith("/.well-known/")}

    assert resolver_routes(function) == deployed - documents


def test_authorizer_reads_exactly_its_cache_key() -> None:
    """If it read another input, one client would get the cached answer of another."""
    cache_key = {kind: names for kind, names in IDENTITY.items() if kind != "ReauthorizeEvery"}

    with running("authorizer", {"SECRETS_PREFIX": "tenancy/test"}) as function:
        read = list(function.app.IDENTITY_SOURCES)

    assert {kind: [name.lower() for name in names] for kind, names in cache_key.items()} == {"Headers": read}


def test_write_keys_are_cached_as_long_as_the_authorizer() -> None:
    assert IDENTITY["ReauthorizeEvery"] == WRITE_KEY_CACHE_TIME.total_seconds()


def test_api_traces_and_logs_no_bodies() -> None:
    """X-Ray and execution logs would store addresses, and URLs: that of Segment's settings has the write key."""
    for api in properties_of("AWS::Serverless::Api").values():
        assert not api.get("TracingEnabled")
        assert not any(each.keys() & {"LoggingLevel", "DataTraceEnabled"} for each in api["MethodSettings"])


def test_access_log_has_no_address_and_no_path() -> None:
    """A path may hold a write key. `$context.resourceId` names the route instead."""
    line = json.loads(API["AccessLogSetting"]["Fn::If"][1]["Format"]["Fn::Sub"])

    assert {"$context.requestId", "$context.status", "$context.error.responseType"} <= set(line.values())
    assert set(line.values()) <= LOGGED | FIXED


def test_access_log_is_off_without_its_parameter() -> None:
    """API Gateway writes no log before the account has a role for it."""
    condition, _, otherwise = API["AccessLogSetting"]["Fn::If"]

    assert (condition, otherwise) == ("HasAccessLogs", {"Ref": "AWS::NoValue"})
    assert TEMPLATE["Parameters"]["AccessLogs"]["Default"] == "false"


def test_only_the_default_of_4xx_keeps_the_status_of_each_refusal() -> None:
    assert {name for name, response in RESPONSES.items() if "StatusCode" not in response} == WITHOUT_STATUS


def test_unknown_route_is_refused_in_the_words_of_the_functions() -> None:
    response = RESPONSES["MISSING_AUTHENTICATION_TOKEN"]

    problem = json.loads(response["ResponseTemplates"]["application/json"])

    assert (response["StatusCode"], problem["detail"]) == (404, NO_ROUTE_TEXT)


@for_each("name", RESPONSES)
def test_gateway_response_is_a_problem_document(name: str) -> None:
    response = RESPONSES[name]

    [(_, text)] = response["ResponseTemplates"].items()
    problem = json.loads(text)

    assert {"type", "title", "instance", "code", "request_id"} <= set(problem)
    assert problem.get("status") == response.get("StatusCode")
    assert problem["message"] == problem["detail"]
    assert "ath" not in problem["instance"]  # neither `$context.path` nor `resourcePath`: a path may have a key in it
    assert response["ResponseParameters"]["Headers"]["Content-Type"] == "'application/problem+json'"


@for_each("name", RESPONSES)
def test_gateway_response_has_retry_after_if_429_or_503(name: str) -> None:
    response = RESPONSES[name]

    assert ("Retry-After" in response["ResponseParameters"]["Headers"]) == (response.get("StatusCode") in {429, 503})


@pytest.mark.parametrize(
    ("name", "refusal"), [("UNAUTHORIZED", UnauthenticatedError()), ("AUTHORIZER_FAILURE", UnavailableError())]
)
def test_gateway_response_has_the_text_of_our_refusal(name: str, refusal: Refusal) -> None:
    problem = json.loads(RESPONSES[name]["ResponseTemplates"]["application/json"])

    shown = {member: problem[member] for member in ("title", "status", "code", "detail")}

    assert shown == {
        "title": refusal.title,
        "status": refusal.status,
        "code": refusal.code,
        "detail": refusal.detail,
    }
