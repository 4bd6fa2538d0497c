"""PATCH /v1/organizations/{id} with overrides, their effects, and GET /v1/organizations/current."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import boto3
import pytest

from tenancy.rules.entitlements import BOUNDS, ENTITLEMENT_NAMES
from tenancy.rules.organization import gateway_key_value
from tenancy.rules.permissions import EVENTS_WRITE, USAGE_READ
from tenancy.rules.tiers import MAX_REQUESTS_PER_MINUTE, QUOTAS, Tier
from tenancy.rules.usage_plans import UsagePlan
from tenancy.stores.aws.gateway_keys import GatewayKeys
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.outbox.run_entries import OutboxTargets, run_due_entries
from tests.given import PLANS_PATH, REGION, AwsAccount, Databases, tenant_of
from tests.handlers.clock import StoppedClock
from tests.handlers.functions import Function, Start, superuser
from tests.handlers.requests import (
    OPERATOR,
    Event,
    answer_of,
    called_by,
    problem_of,
    recent_event,
    sample,
    with_body,
    with_path,
)
from tests.handlers.test_change_organization import INSERT_USER, change_request, gateway_keys_by_plan, list_records

STARTER = {name: getattr(QUOTAS[Tier.STARTER], name) for name in ENTITLEMENT_NAMES}


@pytest.fixture
def provision(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("provision")


@pytest.fixture
def usage(start: Start, secrets: None, clock: StoppedClock) -> Function:  # noqa: ARG001
    function = start("usage")
    clock.stop(function)
    return function


def override(provision: Function, provisioned: Provisioned, **overrides: object) -> dict[str, Any]:
    """Change overrides of the organization, and return its document."""
    answer = answer_of(provision(change_request(provisioned, {"overrides": overrides})))
    assert answer.status == 200, answer.body
    return dict(answer.document)


def own_request(provisioned: Provisioned) -> Event:
    return called_by(sample("usage", "own_organization"), tenant_of(provisioned))


def send(ingest: Function, provisioned: Provisioned, *events: object) -> dict[str, Any]:
    """Send events with the tier of the authorizer's cached answer."""
    return ingest(called_by(with_body(sample("ingest", "events"), {"events": events}), tenant_of(provisioned)))


def add_users(databases: Databases, provisioned: Provisioned, count: int) -> None:
    with superuser(databases) as conn:
        for number in range(count):
            address = f"{number}@{provisioned.organization.subdomain}.example"
            conn.execute(INSERT_USER, (UUID(int=number + 1), provisioned.organization.id, address))


def test_overrides_are_shown_with_the_entitlements(provision: Function, usage: Function, acme: Provisioned) -> None:
    override(provision, acme, events_per_month=5_000_000, sso=True)

    document = override(provision, acme, users="unlimited", custom_models=False)

    assert document["overrides"] == {
        "events_per_month": 5_000_000,
        "users": "unlimited",
        "custom_models": False,
        "sso": True,
    }
    assert document["entitlements"] == STARTER | {"events_per_month": 5_000_000, "users": None, "sso": True}

    own = answer_of(usage(own_request(acme)))

    assert own.status == 200, own.body
    assert own.document == {
        "id": str(acme.organization.id),
        "name": "Acme",
        "subdomain": "acme",
        "tier": "starter",
        "status": "active",
        "entitlements": document["entitlements"],
        "created_at": document["created_at"],
        "key_rotation_days": 90,
    }


def test_null_removes_an_override(provision: Function, acme: Provisioned) -> None:
    override(provision, acme, events_per_month=5, sso=True, users=7)

    document = override(provision, acme, events_per_month=None, users=None, apps=None)

    assert document["overrides"] == {"sso": True}
    assert document["entitlements"] == STARTER | {"sso": True}


def test_overrides_of_one_organization_change_no_other(
    provision: Function, usage: Function, acme: Provisioned, globex: Provisioned
) -> None:
    before = answer_of(usage(own_request(globex))).document

    override(provision, acme, events_per_month=5, api_requests_per_minute=7)

    after = answer_of(usage(own_request(globex)))
    assert after.document == before
    assert after.headers["ratelimit-policy"] == '"rpm";q=500;w=60'


def test_rate_applies_to_the_next_request_of_a_cached_caller(
    provision: Function, usage: Function, acme: Provisioned
) -> None:
    read = called_by(sample("usage", "usage"), tenant_of(acme))
    assert answer_of(usage(read)).headers["ratelimit-policy"] == '"rpm";q=100;w=60'

    override(provision, acme, api_requests_per_minute=2)

    after = answer_of(usage(read))
    assert after.headers["ratelimit-policy"] == '"rpm";q=2;w=60'
    assert after.document["quotas"]["api_requests"]["limit"] == 2 * 43_200
    assert problem_of(usage(read), read, 429, "rate_limited")["limit"] == 2

    override(provision, acme, api_requests_per_minute=None)

    assert answer_of(usage(read)).status == 200


def test_quotas_of_usage_and_402_are_those_of_the_overrides(
    provision: Function, usage: Function, acme: Provisioned
) -> None:
    override(provision, acme, ml_predictions_per_month=10, storage_gb="unlimited")
    report = called_by(with_body(sample("usage", "report_predictions"), {"amount": 11}), tenant_of(acme))

    problem = problem_of(usage(report), report, 402, "quota_exceeded")

    assert (problem["tier"], problem["limit"]) == ("starter", 10)
    quotas = answer_of(usage(called_by(sample("usage", "usage"), tenant_of(acme)))).document["quotas"]
    assert quotas["ml_predictions"] == {"used": 0, "limit": 10, "remaining": 10}
    assert quotas["storage_bytes"] == {"used": 0, "limit": None, "remaining": None}


def test_total_without_limit_stays_a_number_that_clients_can_read(
    provision: Function, usage: Function, databases: Databases, acme: Provisioned
) -> None:
    override(provision, acme, ml_predictions_per_month="unlimited")
    report = called_by(with_body(sample("usage", "report_predictions"), {"amount": 10**15}), tenant_of(acme))
    reserve = called_by(with_body(sample("usage", "reserve"), {"amount": 10**15, "ttl_seconds": 60}), tenant_of(acme))
    with superuser(databases) as conn:
        conn.execute(
            "INSERT INTO usage_totals VALUES (%s, 'ml_predictions', date_trunc('month', now() AT TIME ZONE 'UTC'), %s)",
            (acme.organization.id, 2**53 - 10**15),
        )

    for request in (report, reserve):
        [error] = problem_of(usage(request), request, 422, "invalid")["errors"]
        assert error["location"] == "body/amount"

    one_less = called_by(with_body(sample("usage", "report_predictions"), {"amount": 10**15 - 1}), tenant_of(acme))
    assert answer_of(usage(one_less)).document == {"used": 2**53 - 1, "limit": None, "remaining": None}


def test_quota_of_events_is_that_of_the_override(provision: Function, start: Start, acme: Provisioned) -> None:
    ingest = start("ingest")
    assert answer_of(send(ingest, acme, *(recent_event(number) for number in range(20)))).document["accepted"] == 20

    override(provision, acme, events_per_month=21)
    after = answer_of(send(ingest, acme, *(recent_event(number) for number in range(30, 50)))).document

    assert (after["accepted"], after["held"], len(after["rejected"])) == (1, 2, 17)

    override(provision, acme, events_per_month="unlimited")

    assert answer_of(send(ingest, acme, recent_event(60))).document["accepted"] == 1


def test_retention_of_ingest_is_that_of_the_override(provision: Function, start: Start, acme: Provisioned) -> None:
    ingest = start("ingest")
    old = [
        recent_event(days, event_timestamp=(datetime.now(UTC) - timedelta(days=days, hours=-1)).isoformat())
        for days in (1, 10, 300)
    ]

    def accepted() -> int:
        return int(answer_of(send(ingest, acme, *old)).document["accepted"])

    assert accepted() == 2
    override(provision, acme, data_retention_days=365)
    assert accepted() == 3
    override(provision, acme, data_retention_days=3)
    assert accepted() == 1


def test_change_of_overrides_is_recorded_once_with_its_values(
    provision: Function, databases: Databases, acme: Provisioned
) -> None:
    for _ in range(2):
        override(provision, acme, users="unlimited", sso=True)
    override(provision, acme, users=None)

    assert [target for action, target in list_records(databases, acme)] == [
        "users: 5 to unlimited; sso: false to true",
        "users: unlimited to 5",
    ]
    assert {action for action, _ in list_records(databases, acme)} == {"organization.entitlements_changed"}


def test_downgrade_keeps_overrides_and_goes_by_them(
    provision: Function, databases: Databases, globex: Provisioned
) -> None:
    add_users(databases, globex, 8)
    request = change_request(globex, {"tier": "starter"})
    assert problem_of(provision(request), request, 409, "downgrade_blocked")["blockers"] == ["users"]

    override(provision, globex, users=9)
    document = answer_of(provision(request)).document

    assert (document["tier"], document["overrides"], document["entitlements"]["users"]) == ("starter", {"users": 9}, 9)


@pytest.mark.parametrize("overrides", [{"users": 3}, {"users": None}, {"users": 0, "sso": True}])
def test_override_below_current_use_is_409(
    provision: Function, databases: Databases, acme: Provisioned, overrides: dict[str, object]
) -> None:
    override(provision, acme, users=10)
    add_users(databases, acme, 6)

    request = change_request(acme, {"overrides": overrides})

    assert problem_of(provision(request), request, 409, "downgrade_blocked")["blockers"] == ["users"]
    assert override(provision, acme, sso=True)["overrides"] == {"users": 10, "sso": True}


@pytest.mark.parametrize(
    ("name", "rates"),
    [
        ("api_requests_per_minute", (100, 101, 4_500, 4_501, MAX_REQUESTS_PER_MINUTE, 50, None)),
        ("ingest_requests_per_minute", (1_000, 1_001, 5_400, 5_401, MAX_REQUESTS_PER_MINUTE, 50, None)),
    ],
)
def test_rate_moves_the_gateway_key_to_the_plan_that_fits(
    provision: Function,
    databases: Databases,
    targets: OutboxTargets,
    aws: AwsAccount,
    acme: Provisioned,
    name: str,
    rates: Sequence[int | None],
) -> None:
    def plans() -> list[str]:
        """Return the plan of each key, after the removal of replaced keys."""
        run_due_entries(databases.platform, targets, now=datetime.now(UTC) + timedelta(minutes=3))
        with databases.functions.tenant_transaction(acme.organization.id) as conn:
            [(key,)] = conn.execute("SELECT gateway_key FROM organizations")
        return [plan for plan, keys in gateway_keys_by_plan(aws, acme.organization.id).items() if key in keys]

    found = []
    for rate in rates:
        override(provision, acme, **{name: rate})
        found += plans()

    assert found == ["starter", "growth", "growth", "enterprise", "custom", "starter", "starter"]


def test_tier_change_within_one_plan_keeps_the_gateway_key(
    provision: Function, databases: Databases, acme: Provisioned
) -> None:
    def gateway_key() -> object:
        with databases.functions.tenant_transaction(acme.organization.id) as conn:
            return conn.execute("SELECT gateway_key FROM organizations").fetchone()

    override(provision, acme, api_requests_per_minute=400)
    before = gateway_key()

    assert answer_of(provision(change_request(acme, {"tier": "growth"}))).status == 200
    assert gateway_key() == before


def test_key_that_the_release_before_moved_is_replaced(
    provision: Function, databases: Databases, targets: OutboxTargets, aws: AwsAccount, acme: Provisioned
) -> None:
    """The release before knows no overrides. It moves an organization to the plan of its tier."""
    override(provision, acme, api_requests_per_minute=MAX_REQUESTS_PER_MINUTE)
    moved = gateway_key_value(acme.organization.id, "moved")
    gateway_keys = GatewayKeys(REGION, PLANS_PATH)
    gateway_keys.put_key(acme.organization.id, moved, UsagePlan.GROWTH)
    with superuser(databases) as conn:
        conn.execute("UPDATE organizations SET tier = 'growth', gateway_key = %s WHERE subdomain = 'acme'", (moved,))

    for _ in range(2):
        answer = answer_of(provision(change_request(acme, {"tier": "growth"})))
        run_due_entries(databases.platform, targets, now=datetime.now(UTC) + timedelta(minutes=3))

    assert answer.status == 200
    with superuser(databases) as conn:
        [(key,)] = conn.execute("SELECT gateway_key FROM organizations WHERE subdomain = 'acme'").fetchall()
    assert key in gateway_keys_by_plan(aws, acme.organization.id)["custom"]
    assert not gateway_keys.is_in_plan(acme.organization.id, key, UsagePlan.GROWTH)
    assert key != moved


def test_invalid_override_is_422_and_changes_nothing(provision: Function, acme: Provisioned) -> None:
    bodies: dict[str, object] = {
        "body/overrides": {},
        "body/overrides/price_per_month": {"price_per_month": 1},
        "body/overrides/support_level": {"support_level": "priority"},
        "body/overrides/event_per_month": {"event_per_month": 1, "sso": True},
        "body/overrides/events_per_month": {"events_per_month": -1, "sso": True},
        "body/overrides/data_retention_days": {"data_retention_days": 731},
        "body/overrides/audit_retention_days": {"audit_retention_days": 364},
        "body/overrides/api_requests_per_minute": {"api_requests_per_minute": MAX_REQUESTS_PER_MINUTE + 1},
        "body/overrides/users": {"users": "many"},
        "body/overrides/sso": {"sso": 1},
    }

    for location, overrides in bodies.items():
        request = change_request(acme, {"name": "Acme 2", "overrides": overrides})
        [error] = problem_of(provision(request), request, 422, "invalid")["errors"]
        assert error["location"] == location, error

    no_objects: tuple[object, ...] = (None, [], 5, "unlimited")
    for wrong in no_objects:
        request = change_request(acme, {"name": "Acme 2", "overrides": wrong})
        problem_of(provision(request), request, 422, "invalid")

    unchanged = override(provision, acme, sso=None)
    assert (unchanged["name"], unchanged["overrides"]) == ("Acme", {})


@pytest.mark.parametrize(
    "name", ["api_requests_per_minute", "ingest_requests_per_minute", "data_retention_days", "audit_retention_days"]
)
def test_limit_that_cannot_be_lifted_names_its_maximum(provision: Function, acme: Provisioned, name: str) -> None:
    request = change_request(acme, {"overrides": {name: "unlimited"}})

    [error] = problem_of(provision(request), request, 422, "invalid")["errors"]

    most = BOUNDS[name].most
    assert error["message"].startswith("Expected a whole number from ")
    assert f" to {most} " in error["message"]


@pytest.mark.parametrize("first", ["api_requests_per_minute", "ingest_requests_per_minute"])
def test_rates_past_the_largest_plan_are_422_and_change_nothing(
    provision: Function, aws: AwsAccount, acme: Provisioned, first: str
) -> None:
    second = {"api_requests_per_minute", "ingest_requests_per_minute"}.difference({first}).pop()
    override(provision, acme, **{first: 60_000})
    keys = gateway_keys_by_plan(aws, acme.organization.id)
    request = change_request(acme, {"name": "Acme 2", "overrides": {second: 20_001}})

    problem = problem_of(provision(request), request, 422, "rates_too_large")

    assert (problem["sum"], problem["limit"]) == (80_001, 80_000)
    assert (problem[first], problem[second]) == (60_000, 20_001)
    assert gateway_keys_by_plan(aws, acme.organization.id) == keys

    fitting = override(provision, acme, **{second: 20_000})
    assert (fitting["name"], fitting["overrides"]) == ("Acme", {first: 60_000, second: 20_000})


def test_change_without_the_custom_plan_changes_nothing(
    provision: Function, aws: AwsAccount, acme: Provisioned
) -> None:
    boto3.client("ssm", region_name=REGION).delete_parameter(Name=f"{PLANS_PATH}/custom")
    request = change_request(acme, {"overrides": {"ingest_requests_per_minute": 30_000}})

    problem_of(provision(request), request, 503, "unavailable")

    assert override(provision, acme, sso=True)["overrides"] == {"sso": True}
    assert gateway_keys_by_plan(aws, acme.organization.id)["custom"] == set()


def test_own_organization_needs_a_tenant_that_reads_usage(usage: Function, acme: Provisioned) -> None:
    request = sample("usage", "own_organization")
    reader = called_by(request, tenant_of(acme, scopes=frozenset({USAGE_READ})))
    writer = called_by(request, tenant_of(acme, scopes=frozenset({EVENTS_WRITE})))
    operator = called_by(request, OPERATOR)

    assert answer_of(usage(reader)).status == 200
    problem_of(usage(writer), writer, 403, "forbidden")
    problem_of(usage(operator), operator, 403, "forbidden")


def test_trailing_slash_of_the_own_organization_does_not_matter(usage: Function, acme: Provisioned) -> None:
    request = own_request(acme)

    assert answer_of(usage(with_path(request, "/organizations/current/", request["resource"]))).status == 200


@pytest.mark.parametrize("url", ["", "https://acme.example/upgrade"])
@pytest.mark.usefixtures("secrets")
def test_own_organization_shows_the_page_for_upgrades(start: Start, acme: Provisioned, url: str) -> None:
    answer = answer_of(start("usage", UPGRADE_URL=url)(own_request(acme)))

    assert (answer.status, answer.document.get("upgrade_url", "")) == (200, url)
