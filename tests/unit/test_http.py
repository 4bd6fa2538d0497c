"""Requests of API Gateway as values, and refusals as problem documents."""

import base64
import json
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenancy import errors
from tenancy.errors import (
    DomainTakenError,
    DowngradeBlockedError,
    FieldError,
    InternalError,
    InvalidError,
    LastSuperAdminError,
    MalformedRequestError,
    NotInTierError,
    QuotaExceededError,
    RateLimitedError,
    RatesTooLargeError,
    Refusal,
    SsoRequiredError,
    SubdomainTakenError,
    TooManyAttemptsError,
    UnauthenticatedError,
    UnavailableError,
)
from tenancy.gateway.context import to_context
from tenancy.gateway.http import json_answer, parse_request, preflight_answer, problem_answer
from tenancy.rules.events.row import Rejection
from tenancy.rules.tenant import Operator
from tests.members import for_each

OPERATOR = Operator(credential_id=UUID("0c000000-0000-4000-8000-0000000000c2"))
STAGE = {
    "path": "/usage",
    "resource": "/usage",
    "requestContext": {"path": "/v1/usage", "stage": "v1", "requestId": "r-1"},
}
CUSTOM_DOMAIN = {**STAGE, "path": "/v1/usage"}
SAM_LOCAL = {
    "path": "/usage",
    "resource": "/usage",
    "requestContext": {"path": "/usage", "stage": "v1", "requestId": "r-1"},
}


def lambda_event(**changes: Any) -> dict[str, Any]:  # noqa: ANN401
    bare = {"httpMethod": "GET", "headers": None, "body": None, "isBase64Encoded": False}
    return {**bare, **STAGE, **changes}


@pytest.mark.parametrize("members", [STAGE, CUSTOM_DOMAIN, SAM_LOCAL], ids=["stage", "custom domain", "sam local"])
def test_request_is_the_same_for_each_kind_of_path(members: dict[str, Any]) -> None:
    request = parse_request(lambda_event(**members))
    assert (request.method, request.path, request.route, request.request_id) == ("GET", "/usage", "/usage", "r-1")


@pytest.mark.parametrize(
    ("path", "parsed"),
    [
        ("/v1/projects/wk_x/settings", "/projects/wk_x/settings"),
        ("/projects/wk_x/settings", "/projects/wk_x/settings"),
        ("/v1/v1/usage", "/v1/usage"),
        ("/v10/usage", "/v10/usage"),
        ("/v1", "/v1"),
        ("/", "/"),
        ("/v1/", "/"),
        ("/v1/events/", "/events"),
        ("/events/", "/events"),
        ("/events//", "/events"),
        ("", "/"),
        (None, "/"),
    ],
)
def test_only_the_stage_is_removed_from_a_path(path: str | None, parsed: str) -> None:
    assert parse_request(lambda_event(path=path)).path == parsed


def test_header_names_are_compared_in_lower_case() -> None:
    headers = {"X-Organization-ID": "acme", "authorization": "Bearer x", "HOST": "acme.attribution.example"}

    assert parse_request(lambda_event(headers=headers)).headers == {
        "x-organization-id": "acme",
        "authorization": "Bearer x",
        "host": "acme.attribution.example",
    }


def test_each_value_of_a_header_and_of_the_query_is_kept() -> None:
    request = parse_request(
        lambda_event(
            headers={"Host": "b.example", "x-one": "1"},
            multiValueHeaders={"Host": ["a.example", "b.example"], "HOST": ["c.example"]},
            queryStringParameters={"from": "2", "alone": "3"},
            multiValueQueryStringParameters={"from": ["1", "2"]},
        )
    )

    assert request.header_values == {"host": ("a.example", "b.example", "c.example"), "x-one": ("1",)}
    assert request.query_values == {"from": ("1", "2"), "alone": ("3",)}


def test_request_has_source_address_and_path_parameters() -> None:
    context = {**STAGE["requestContext"], "identity": {"sourceIp": "203.0.113.10"}}  # type: ignore[dict-item]

    request = parse_request(lambda_event(requestContext=context, pathParameters={"organization_id": "0a"}))

    assert (request.source_address, request.path_parameters) == ("203.0.113.10", {"organization_id": "0a"})

    bare = parse_request(lambda_event(pathParameters=None))

    assert (bare.source_address, bare.path_parameters) == ("", {})


@pytest.mark.parametrize("body", [b"", b'{"events":[]}', "é🦀".encode(), b"\x1f\x8b\x08\0", bytes(range(256))])
def test_base64_body_is_decoded(body: bytes) -> None:
    encoded = base64.b64encode(body).decode()
    assert parse_request(lambda_event(body=encoded, isBase64Encoded=True)).body == body


def test_text_body_is_encoded_as_utf_8() -> None:
    assert parse_request(lambda_event(body='{"é":"🦀"}')).body == '{"é":"🦀"}'.encode()


@pytest.mark.parametrize("body", ["*", "YQ", "YQ=", "Y Q==", "YQ==\n", "é", "\ud800"])
def test_invalid_base64_body_is_malformed(body: str) -> None:
    request = parse_request(lambda_event(body=body, isBase64Encoded=True))

    with pytest.raises(MalformedRequestError):
        _ = request.body


@given(st.text("AQz09+/=-_ ", max_size=12))
def test_base64_is_read_as_by_the_standard_library(body: str) -> None:
    try:
        expected = base64.b64decode(body, validate=True)
    except ValueError:
        expected = None

    request = parse_request(lambda_event(body=body, isBase64Encoded=True))

    if expected is None:
        with pytest.raises(MalformedRequestError):
            _ = request.body
    else:
        assert request.body == expected


def test_lone_surrogate_in_a_text_body_is_kept() -> None:
    assert parse_request(lambda_event(body="\ud800")).body == b"\xed\xa0\x80"


def test_empty_lambda_event_has_no_caller() -> None:
    request = parse_request({})

    assert (request.method, request.path, request.route, request.headers, request.body) == ("", "/", "", {}, b"")
    with pytest.raises(UnauthenticatedError):
        request.caller()


def test_caller_is_that_of_the_authorizer() -> None:
    context = {**STAGE["requestContext"], "authorizer": {**to_context(OPERATOR), "principalId": "x"}}  # type: ignore[dict-item]

    assert parse_request(lambda_event(requestContext=context)).caller() == OPERATOR


def test_two_credentials_are_refused_despite_a_cached_policy() -> None:
    context = {**STAGE["requestContext"], "authorizer": to_context(OPERATOR)}  # type: ignore[dict-item]

    one = parse_request(lambda_event(requestContext=context, multiValueHeaders={"Authorization": ["Bearer a"]}))

    assert isinstance(one.caller(), Operator)
    for values in ({"Authorization": ["Bearer a", "Bearer b"]}, {"Authorization": ["x"], "authorization": ["x"]}):
        with pytest.raises(UnauthenticatedError):
            parse_request(lambda_event(requestContext=context, multiValueHeaders=values)).caller()


# ------------------------------------------------------------------------------------------------------------- answers

STATUSES_AND_CODES = {
    "400 malformed_request",
    "401 unauthenticated",
    "402 quota_exceeded",
    "403 tenant_mismatch",
    "403 forbidden",
    "403 sso_required",
    "403 organization_inactive",
    "403 not_in_tier",
    "404 not_found",
    "405 method_not_allowed",
    "409 subdomain_taken",
    "409 request_in_progress",
    "409 transition_not_allowed",
    "409 downgrade_blocked",
    "409 last_super_admin",
    "409 not_deleted",
    "409 conflict",
    "409 domain_taken",
    "410 erased",
    "413 too_large",
    "415 unsupported_media_type",
    "422 invalid",
    "422 idempotency_key_reused",
    "422 rates_too_large",
    "429 rate_limited",
    "429 too_many_attempts",
    "500 internal",
    "503 unavailable",
}
REFUSALS = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Refusal)]


def problem(refusal: Refusal) -> tuple[dict[str, Any], dict[str, str]]:
    answer = problem_answer(refusal, instance="/events", request_id="r-1")
    assert answer["statusCode"] == refusal.status
    assert answer["isBase64Encoded"] is False
    return json.loads(answer["body"]), answer["headers"]


# Kinds that need other arguments than a detail.
MADE: dict[type[Refusal], Refusal] = {
    QuotaExceededError: QuotaExceededError("Because.", tier="starter", metric="events", limit=10, used=11),
    RateLimitedError: RateLimitedError("Because.", tier="starter", limit=100, retry_after=7),
    LastSuperAdminError: LastSuperAdminError(),
    TooManyAttemptsError: TooManyAttemptsError(retry_after=7),
    DowngradeBlockedError: DowngradeBlockedError(["users"]),
    DomainTakenError: DomainTakenError("acme.example", record_name="_tenancy-verification.acme.example"),
    NotInTierError: NotInTierError(tier="starter", entitlement="sso"),
    SsoRequiredError: SsoRequiredError(),
    RatesTooLargeError: RatesTooLargeError(api=60_000, ingest=60_000, limit=80_000),
    SubdomainTakenError: SubdomainTakenError("acme"),
}


def made(kind: type[Refusal]) -> Refusal:
    return MADE.get(kind) or kind("Because.")


@for_each("kind", REFUSALS, ids=lambda kind: kind.__name__)
def test_each_refusal_is_a_problem_document(kind: type[Refusal]) -> None:
    refusal = made(kind)

    document, headers = problem(refusal)

    assert headers["Content-Type"] == "application/problem+json"
    assert {name: document[name] for name in ("type", "title", "status", "instance", "request_id", "code")} == {
        "type": "about:blank",
        "title": kind.title,
        "status": kind.status,
        "instance": "/events",
        "request_id": "r-1",
        "code": kind.code,
    }
    assert document["detail"] == document["message"] == refusal.detail != ""


def test_statuses_and_codes_are_those_of_the_api() -> None:
    assert {f"{kind.status} {kind.code}" for kind in REFUSALS} <= STATUSES_AND_CODES


def test_refusal_lists_invalid_fields() -> None:
    error = FieldError(location="events/3/revenue", code="out_of_range", message="Too much.")

    document, _ = problem(InvalidError("No event is acceptable.", errors=[error]))

    assert document["errors"] == [{"location": "events/3/revenue", "code": "out_of_range", "message": "Too much."}]


def test_refusal_without_fields_has_no_error_list() -> None:
    document, headers = problem(InvalidError("No."))

    assert "errors" not in document
    assert "retry_after" not in document
    assert "Retry-After" not in headers


@pytest.mark.parametrize(
    ("refusal", "seconds"), [(UnavailableError(), 2), (UnavailableError("Later.", retry_after=60), 60)]
)
def test_503_tells_when_to_retry(refusal: Refusal, seconds: int) -> None:
    document, headers = problem(refusal)
    assert (document["retry_after"], headers["Retry-After"]) == (seconds, str(seconds))


def test_402_names_the_limit() -> None:
    document, headers = problem(made(QuotaExceededError))

    assert {name: document[name] for name in ("tier", "metric", "limit", "used")} == {
        "tier": "starter",
        "metric": "events",
        "limit": 10,
        "used": 11,
    }
    assert "Retry-After" not in headers


@pytest.mark.parametrize(
    ("url", "shown"), [(None, {}), ("https://a.example/b", {"upgrade_url": "https://a.example/b"})]
)
def test_402_has_an_upgrade_url_only_if_there_is_one(url: str | None, shown: dict[str, str]) -> None:
    answer = problem_answer(made(QuotaExceededError), instance="/v1/events", request_id="r", upgrade_url=url)

    document = json.loads(answer["body"])

    assert {name: value for name, value in document.items() if name == "upgrade_url"} == shown


def test_429_names_limit_and_retry_time() -> None:
    document, headers = problem(made(RateLimitedError))

    assert (document["tier"], document["limit"], document["retry_after"]) == ("starter", 100, 7)
    assert headers["Retry-After"] == "7"


def test_blocked_downgrade_lists_blockers() -> None:
    assert problem(made(DowngradeBlockedError))[0]["blockers"] == ["users"]


def test_internal_error_shows_no_details() -> None:
    document, _ = problem(InternalError())
    assert (document["code"], document["message"]) == ("internal", "Internal Server Error")


def test_answer_is_json() -> None:
    rejection = Rejection(index=1, event_id=None, errors=(FieldError(location="a", code="b", message="é"),))

    answer = json_answer(200, {"id": UUID(int=0), "rejected": (rejection,)})

    assert (answer["statusCode"], answer["headers"]) == (200, {"Content-Type": "application/json"})
    assert json.loads(answer["body"]) == {
        "id": "00000000-0000-0000-0000-000000000000",
        "rejected": [{"index": 1, "event_id": None, "errors": [{"location": "a", "code": "b", "message": "é"}]}],
    }


@pytest.mark.parametrize("header", ["authorization", "content-type", "x-retry-count", "anonymousid", "sentat"])
def test_preflight_allows_headers_of_sdks(header: str) -> None:
    allowed = preflight_answer()["headers"]["Access-Control-Allow-Headers"].replace(" ", "").split(",")
    assert header in allowed


def test_preflight_allows_all_methods() -> None:
    answer = preflight_answer()

    assert answer["statusCode"] in (200, 204)
    assert {"GET", "POST", "PUT", "PATCH", "DELETE"}.issubset(
        answer["headers"]["Access-Control-Allow-Methods"].replace(" ", "").split(",")
    )
