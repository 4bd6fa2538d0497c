"""POST /v1/usage/{metric} and reservations as clients see them."""

from dataclasses import replace
from datetime import datetime
from uuid import uuid4

import pytest

from tenancy.rules.permissions import PERMISSIONS, USAGE_WRITE
from tenancy.rules.tiers import QUOTAS, Tier
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Databases, tenant_of
from tests.handlers.clock import StoppedClock
from tests.handlers.functions import Function, Start, superuser
from tests.handlers.requests import (
    OPERATOR,
    Event,
    answer_of,
    called_by,
    problem_of,
    sample,
    with_body,
    with_headers,
    with_path,
    with_query,
)

LIMIT = QUOTAS[Tier.STARTER].ml_predictions_per_month


@pytest.fixture
def usage(start: Start, secrets: None, clock: StoppedClock) -> Function:  # noqa: ARG001
    """Start the function with the stopped clock, so that no reservation expires."""
    function = start("usage")
    clock.stop(function)
    return function


def usage_request(provisioned: Provisioned, case: str, body: object = None, **parameters: str) -> Event:
    """Return a request of the secret key. *parameters* replace those of the sample's path."""
    request = sample("usage", case)
    named = {**request["pathParameters"], **parameters}
    path = request["resource"]
    for name, value in named.items():
        path = path.replace(f"{{{name}}}", value)
    request = {**with_path(request, path, request["resource"]), "pathParameters": named}
    request = with_headers(request, idempotency_key=None)
    return called_by(with_body(request, body) if body is not None else request, tenant_of(provisioned))


def test_report_is_counted_and_shown_in_the_usage(usage: Function, acme: Provisioned) -> None:
    for used in (250, 500):
        answer = answer_of(usage(usage_request(acme, "report_predictions", {"amount": 250})))
        assert (answer.status, answer.document) == (200, {"used": used, "limit": LIMIT, "remaining": LIMIT - used})

    stored = answer_of(usage(usage_request(acme, "report_storage", {"amount": 1000})))

    assert stored.document["used"] == 1000

    shown = answer_of(usage(called_by(with_query(sample("usage", "usage")), tenant_of(acme)))).document

    assert shown["quotas"]["ml_predictions"] == {"used": 500, "limit": LIMIT, "remaining": LIMIT - 500}
    assert shown["quotas"]["storage_bytes"]["used"] == 1000
    assert [day["ml_predictions"] for day in shown["daily"]] == [500]


def test_same_idempotency_key_counts_once(usage: Function, acme: Provisioned) -> None:
    request = with_headers(usage_request(acme, "report_predictions", {"amount": 5}), idempotency_key="batch-1")

    answers = [answer_of(usage(request)).document for _ in range(3)]

    assert answers == [{"used": 5, "limit": LIMIT, "remaining": LIMIT - 5}] * 3

    usage(usage_request(acme, "report_predictions", {"amount": 7}))
    usage(usage_request(acme, "reserve", {"amount": 9, "ttl_seconds": 60}))

    assert answer_of(usage(request)).document == answers[0]

    shown = answer_of(usage(called_by(with_query(sample("usage", "usage")), tenant_of(acme)))).document

    assert shown["quotas"]["ml_predictions"] == {"used": 12, "limit": LIMIT, "remaining": LIMIT - 21}

    other = with_headers(usage_request(acme, "report_predictions", {"amount": 6}), idempotency_key="batch-1")
    problem_of(usage(other), other, 422, "idempotency_key_reused")


def test_report_over_the_quota_is_402(usage: Function, acme: Provisioned) -> None:
    request = usage_request(acme, "report_predictions", {"amount": LIMIT + 1})

    problem = problem_of(usage(request), request, 402, "quota_exceeded")

    assert (problem["tier"], problem["metric"], problem["limit"], problem["used"]) == (
        "starter",
        "ml_predictions",
        LIMIT,
        0,
    )


def test_unknown_metric_is_404(usage: Function, acme: Provisioned) -> None:
    for metric in ("events", "users", "predictions", "ml_predictions%20", "*"):
        for case, body in (("report_predictions", {"amount": 1}), ("reserve", {"amount": 1, "ttl_seconds": 1})):
            request = usage_request(acme, case, body, metric=metric)
            problem_of(usage(request), request, 404, "not_found")


def test_amount_is_a_positive_integer(usage: Function, acme: Provisioned) -> None:
    amounts: list[object] = [0, -1, 1.5, "1", True, None, 10**15 + 1, 10**400, [], {}, "NaN", 1e3]
    for amount in amounts:
        request = usage_request(acme, "report_predictions", {"amount": amount})
        problem = problem_of(usage(request), request, 422, "invalid")
        assert problem["errors"][0]["location"] == "body/amount", amount


def test_invalid_idempotency_key_is_422(usage: Function, acme: Provisioned) -> None:
    for key in ("", "a b", "é", "x" * 256):
        request = with_headers(usage_request(acme, "report_predictions", {"amount": 1}), idempotency_key=key)
        problem_of(usage(request), request, 422, "invalid")


def test_stored_bytes_cannot_become_negative(usage: Function, acme: Provisioned) -> None:
    assert answer_of(usage(usage_request(acme, "report_storage", {"amount": 10}))).document["used"] == 10
    assert answer_of(usage(usage_request(acme, "report_storage", {"amount": -10}))).document["used"] == 0

    request = usage_request(acme, "report_storage", {"amount": -1})
    problem_of(usage(request), request, 422, "invalid")


def test_reservation_is_committed_or_released_once(usage: Function, acme: Provisioned, clock: StoppedClock) -> None:
    made = answer_of(usage(usage_request(acme, "reserve", {"amount": 100, "ttl_seconds": 60})))

    assert made.status == 201
    assert (made.document["metric"], made.document["amount"], made.document["remaining"]) == (
        "ml_predictions",
        100,
        LIMIT - 100,
    )
    assert datetime.fromisoformat(made.document["expires_at"]) > clock.moment

    commit = usage_request(acme, "commit", {"amount": 40}, reservation_id=made.document["id"])
    for _ in range(2):
        assert answer_of(usage(commit)).document == {"used": 40, "limit": LIMIT, "remaining": LIMIT - 40}

    release = usage_request(acme, "release", reservation_id=made.document["id"])
    problem_of(usage(release), release, 409, "conflict")

    other = answer_of(usage(usage_request(acme, "reserve", {"amount": 100, "ttl_seconds": 60}))).document["id"]
    for _ in range(2):
        answer = answer_of(usage(usage_request(acme, "release", reservation_id=other)))
        assert (answer.status, answer.body) == (204, "")

    commit = usage_request(acme, "commit", reservation_id=other)
    problem_of(usage({**commit, "body": None}), commit, 409, "conflict")


def test_commit_without_a_body_uses_the_whole_reservation(usage: Function, acme: Provisioned) -> None:
    made = answer_of(usage(usage_request(acme, "reserve", {"amount": 100, "ttl_seconds": 60}))).document["id"]
    commit = {**usage_request(acme, "commit", reservation_id=made), "body": None}

    assert answer_of(usage(commit)).document["used"] == 100


def test_reservation_of_another_organization_is_404(usage: Function, acme: Provisioned, globex: Provisioned) -> None:
    made = answer_of(usage(usage_request(acme, "reserve", {"amount": 1, "ttl_seconds": 60}))).document["id"]
    for which in (made, str(uuid4())):
        for case, body in (("commit", {"amount": 1}), ("release", None)):
            request = usage_request(globex, case, body, reservation_id=which)
            problem_of(usage(request), request, 404, "not_found")


def test_reservation_needs_an_amount_and_a_lifetime(usage: Function, acme: Provisioned) -> None:
    bodies: list[object] = [
        {},
        [],
        {"amount": 1},
        {"amount": 0, "ttl_seconds": 1},
        {"amount": 1, "ttl_seconds": 0},
        {"amount": 1, "ttl_seconds": 86_401},
    ]
    for body in bodies:
        request = usage_request(acme, "reserve", body)
        problem_of(usage(request), request, 422, "invalid")


def test_report_without_permission_counts_nothing(usage: Function, databases: Databases, acme: Provisioned) -> None:
    request = usage_request(acme, "report_predictions", {"amount": 1})
    narrow = called_by(request, replace(tenant_of(acme), scopes=PERMISSIONS - {USAGE_WRITE}))

    for refused in (narrow, called_by(request, OPERATOR)):
        problem_of(usage(refused), refused, 403, "forbidden")

    with superuser(databases) as conn:
        assert conn.execute("SELECT count(*) FROM usage_ledger").fetchone() == (0,)


def test_operator_reads_the_usage_of_an_organization(usage: Function, acme: Provisioned, globex: Provisioned) -> None:
    usage(usage_request(acme, "report_predictions", {"amount": 3}))
    for provisioned, used in ((acme, 3), (globex, 0)):
        asked = sample("usage", "usage_for_operator")
        organization_id = str(provisioned.organization.id)
        request = with_path(asked, f"/organizations/{organization_id}/usage", asked["resource"])
        request = called_by({**request, "pathParameters": {"organization_id": organization_id}}, OPERATOR)

        document = answer_of(usage(request)).document

        assert (document["organization_id"], document["tier"]) == (organization_id, provisioned.organization.tier)
        assert document["quotas"]["ml_predictions"]["used"] == used

    unknown = str(uuid4())
    request = with_path(asked, f"/organizations/{unknown}/usage", asked["resource"])
    request = called_by({**request, "pathParameters": {"organization_id": unknown}}, OPERATOR)

    problem_of(usage(request), request, 404, "not_found")
