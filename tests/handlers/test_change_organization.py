"""PATCH /v1/organizations/{id}: another name, tier or status, and its effects."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import boto3
import pytest

from tenancy.rules.tiers import QUOTAS, Tier
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.outbox.run_entries import OutboxTargets, run_due_entries
from tests.given import REGION, AwsAccount, Databases, tenant_of
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
    segment_call,
    to_authorizer,
    with_basic_auth,
    with_body,
    with_path,
)

INSERT_USER = "INSERT INTO users (id, organization_id, email, role) VALUES (%s, %s, %s, 'viewer')"


@pytest.fixture
def provision(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("provision")


def change_request(provisioned: Provisioned | str, body: object) -> Event:
    organization_id = provisioned if isinstance(provisioned, str) else str(provisioned.organization.id)
    request = sample("provision", "change_tier")
    request = with_path(request, f"/organizations/{organization_id}", request["resource"])
    return called_by(with_body({**request, "pathParameters": {"organization_id": organization_id}}, body), OPERATOR)


def gateway_keys_by_plan(aws: AwsAccount, organization_id: object) -> dict[str, set[str]]:
    """Return the organization's gateway keys by usage plan."""
    gateway: Any = boto3.client("apigateway", region_name=REGION)
    return {
        tier: {
            item["name"]
            for item in gateway.get_usage_plan_keys(usagePlanId=plan_id)["items"]
            if str(organization_id) in item["name"]
        }
        for tier, plan_id in aws.plan_ids.items()
    }


def test_tier_change_takes_effect_on_the_next_request(
    provision: Function,
    start: Start,
    databases: Databases,
    targets: OutboxTargets,
    aws: AwsAccount,
    acme: Provisioned,
    clock: StoppedClock,
) -> None:
    usage, authorizer = start("usage"), start("authorizer")
    clock.stop(usage)
    read = called_by(sample("usage", "usage"), tenant_of(acme))  # the authorizer's cached answer: the old tier

    assert answer_of(usage(read)).headers["ratelimit-policy"] == '"rpm";q=100;w=60'

    answer = answer_of(provision(change_request(acme, {"tier": "growth"})))

    assert (answer.status, answer.document["tier"]) == (200, "growth")

    after = answer_of(usage(read))

    assert after.headers["ratelimit-policy"] == '"rpm";q=500;w=60'
    assert after.headers["ratelimit"].startswith('"rpm";r=498;')
    assert after.document["tier"] == "growth"
    assert after.document["quotas"]["events"]["limit"] == QUOTAS[Tier.GROWTH].events_per_month
    plans = gateway_keys_by_plan(aws, acme.organization.id)
    assert (len(plans["starter"]), len(plans["growth"]), len(plans["enterprise"])) == (1, 1, 0)

    key = authorizer(to_authorizer(f"Bearer {acme.secret_key.text}"))["usageIdentifierKey"]

    assert {key} == plans["growth"]

    run_due_entries(databases.platform, targets, now=datetime.now(UTC) + timedelta(minutes=3))
    gateway: Any = boto3.client("apigateway", region_name=REGION)
    names = [item["name"] for item in gateway.get_api_keys(limit=500)["items"]]

    assert [name for name in names if str(acme.organization.id) in name] == [key]


def test_tier_change_is_recorded_once(provision: Function, databases: Databases, acme: Provisioned) -> None:
    answers = [answer_of(provision(change_request(acme, {"tier": "enterprise"}))) for _ in range(3)]

    assert {answer.document["tier"] for answer in answers} == {"enterprise"}
    with databases.functions.tenant_transaction(acme.organization.id) as conn:
        statement = "SELECT action, target FROM audit_log WHERE action = 'organization.tier_changed'"
        assert conn.execute(statement).fetchall() == [("organization.tier_changed", "starter to enterprise")]
        assert conn.execute("SELECT from_tier, to_tier FROM tier_changes").fetchall() == [("starter", "enterprise")]


def test_downgrade_below_current_use_is_409_with_its_blockers(
    provision: Function, databases: Databases, aws: AwsAccount, globex: Provisioned
) -> None:
    with superuser(databases) as conn:
        for _ in range(5):
            user_id = uuid4()
            conn.execute(INSERT_USER, (user_id, globex.organization.id, f"{user_id}@globex.example"))

    request = change_request(globex, {"tier": "starter"})

    assert problem_of(provision(request), request, 409, "downgrade_blocked")["blockers"] == ["users"]
    assert gateway_keys_by_plan(aws, globex.organization.id)["starter"] == set()

    with superuser(databases) as conn:
        conn.execute("UPDATE users SET status = 'removed' WHERE role = 'viewer'")

    assert answer_of(provision(request)).document["tier"] == "starter"


def test_deleted_organization_cannot_be_changed(
    provision: Function, databases: Databases, acme: Provisioned, subtests: pytest.Subtests
) -> None:
    for status in ("deleted", "erasing"):
        with superuser(databases) as conn:
            conn.execute("UPDATE organizations SET status = %s", (status,))

        for body in ({"tier": "growth"}, {"name": "Acme 2"}, {"status": "active"}, {"status": "suspended"}):
            with subtests.test(f"{status} {body}"):
                request = change_request(acme, body)
                problem_of(provision(request), request, 409, "transition_not_allowed")


def test_change_of_unknown_organization_is_404(provision: Function) -> None:
    for body in ({"tier": "growth"}, {"name": "Acme 2"}):
        request = change_request(str(uuid4()), body)
        problem_of(provision(request), request, 404, "not_found")


def test_invalid_change_is_422(provision: Function, acme: Provisioned) -> None:
    bodies: list[object] = [
        {},
        [],
        {"tier": "gold"},
        {"tier": None},
        {"name": None, "tier": "growth"},
        {"name": " "},
        {"name": "two\nlines"},
        {"status": "deleted"},
        {"status": "erased"},
        {"status": "Active"},
        {"tier": "growth", "subdomain": "acme-2"},
    ]

    for body in bodies:
        request = change_request(acme, body)
        problem_of(provision(request), request, 422, "invalid")


def test_change_needs_a_platform_key(provision: Function, acme: Provisioned) -> None:
    own = called_by(change_request(acme, {"tier": "enterprise"}), tenant_of(acme))
    problem_of(provision(own), own, 403, "forbidden")


def test_change_that_dies_before_its_commit_can_be_repeated(
    provision: Function, databases: Databases, aws: AwsAccount, acme: Provisioned, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    for dies_in in ("update_organization", "insert_tier_change", "insert_audit_record", "insert_outbox_entry"):
        with monkeypatch.context() as patch:
            patch.setattr(f"tenancy.use_cases.organizations.change_organization.{dies_in}", die)
            with pytest.raises(KeyboardInterrupt):
                provision(change_request(acme, {"tier": "growth"}))

    with databases.functions.tenant_transaction(acme.organization.id) as conn:
        assert conn.execute("SELECT tier FROM organizations").fetchall() == [("starter",)]

    assert answer_of(provision(change_request(acme, {"tier": "growth"}))).status == 200
    assert len(gateway_keys_by_plan(aws, acme.organization.id)["growth"]) == 1


# ---------------------------------------------------------------------------------------------------- name and status


def list_records(databases: Databases, provisioned: Provisioned) -> list[tuple[str, str]]:
    with databases.functions.tenant_transaction(provisioned.organization.id) as conn:
        statement = "SELECT action, target FROM audit_log WHERE action <> 'organization.provisioned'"
        return sorted(conn.execute(statement).fetchall())


def find_updated_at(databases: Databases, provisioned: Provisioned) -> datetime:
    with databases.functions.tenant_transaction(provisioned.organization.id) as conn:
        [(updated_at,)] = conn.execute("SELECT updated_at FROM organizations")
    assert isinstance(updated_at, datetime)
    return updated_at


def requests_of_every_credential(start: Start, provisioned: Provisioned) -> list[tuple[Function, Event]]:
    """Return requests of every kind of credential, with the authorizer's cached answer."""
    tenant = tenant_of(provisioned)
    usage, ingest, audit = start("usage"), start("ingest"), start("audit")
    segment = {"batch": [segment_call(1)], "writeKey": provisioned.write_key.text}
    return [
        (usage, called_by(sample("usage", "usage"), tenant)),
        (usage, called_by(sample("usage", "stats"), tenant)),
        (usage, called_by(sample("usage", "report_predictions"), tenant)),
        (audit, called_by(sample("audit", "list"), tenant)),
        (ingest, called_by(with_body(sample("ingest", "events"), {"events": [recent_event(1)]}), tenant)),
        (ingest, with_body(sample("ingest", "segment_batch"), segment)),
        (ingest, with_basic_auth(with_body(sample("ingest", "segment_call"), segment_call(2)), provisioned.write_key)),
    ]


def test_suspension_applies_to_every_credential_at_once(
    provision: Function, start: Start, acme: Provisioned, globex: Provisioned
) -> None:
    of_acme, of_globex = requests_of_every_credential(start, acme), requests_of_every_credential(start, globex)

    assert {answer_of(function(request)).status for function, request in of_acme} == {200}
    assert answer_of(provision(change_request(acme, {"status": "suspended"}))).document["status"] == "suspended"

    for function, request in of_acme:
        answer = function(request)
        problem_of(answer, request, 403, "organization_inactive")
        assert "ratelimit" in answer_of(answer).headers

    assert {answer_of(function(request)).status for function, request in of_globex} == {200}
    assert answer_of(provision(change_request(acme, {"status": "active"}))).document["status"] == "active"
    assert {answer_of(function(request)).status for function, request in of_acme} == {200}


def test_repeated_change_is_recorded_once_and_without_the_name(
    provision: Function, databases: Databases, acme: Provisioned
) -> None:
    id_ = str(acme.organization.id)
    changes = [{"name": " Acme\u0301 "}, {"status": "suspended"}, {"status": "active"}]
    wanted = ["organization.renamed", "organization.suspended", "organization.reactivated"]

    for number, body in enumerate(changes):
        before = find_updated_at(databases, acme)

        first = answer_of(provision(change_request(acme, body))).document

        assert find_updated_at(databases, acme) > before
        assert answer_of(provision(change_request(acme, body))).document == first
        assert list_records(databases, acme) == sorted((action, id_) for action in wanted[: number + 1])

    assert first["name"] == "Acm\u00e9"


def test_change_of_several_members_is_atomic(provision: Function, databases: Databases, globex: Provisioned) -> None:
    with superuser(databases) as conn:
        for _ in range(5):
            user_id = uuid4()
            conn.execute(INSERT_USER, (user_id, globex.organization.id, f"{user_id}@globex.example"))

    request = change_request(globex, {"name": "Globex 2", "status": "suspended", "tier": "starter"})

    problem_of(provision(request), request, 409, "downgrade_blocked")
    assert answer_of(provision(change_request(globex, {"status": "active"}))).document["name"] == "Globex"
    assert list_records(databases, globex) == []

    whole = change_request(globex, {"name": "G", "status": "suspended", "tier": "enterprise"})
    document = answer_of(provision(whole)).document

    assert (document["name"], document["status"], document["tier"]) == ("G", "suspended", "enterprise")
    assert [action for action, _ in list_records(databases, globex)] == [
        "organization.renamed",
        "organization.suspended",
        "organization.tier_changed",
    ]


def test_use_above_the_tier_blocks_no_other_change(
    provision: Function, databases: Databases, acme: Provisioned
) -> None:
    with superuser(databases) as conn:
        for _ in range(6):
            user_id = uuid4()
            conn.execute(INSERT_USER, (user_id, acme.organization.id, f"{user_id}@acme.example"))

    answer = answer_of(provision(change_request(acme, {"name": "Acme 2", "tier": "starter"})))

    assert answer.document["name"] == "Acme 2"


def test_erased_organization_is_410_but_its_log_is_readable(
    provision: Function, start: Start, databases: Databases, acme: Provisioned
) -> None:
    with superuser(databases) as conn:
        conn.execute("UPDATE organizations SET status = 'erased'")

    id_ = str(acme.organization.id)

    def operator_request(function: str, case: str) -> Event:
        request = sample(function, case)
        request = with_path(request, request["resource"].replace("{organization_id}", id_), request["resource"])
        return called_by({**request, "pathParameters": {"organization_id": id_}}, OPERATOR)

    gone = [
        ("provision", "get"),
        ("usage", "usage_for_operator"),
        ("usage", "stats_for_operator"),
        ("held_events", "count"),
        ("held_events", "release"),
    ]
    functions = {name: start(name) for name in ("usage", "held_events", "audit")} | {"provision": provision}

    for request in (change_request(acme, {"tier": "growth"}), change_request(acme, {"status": "active"})):
        problem_of(provision(request), request, 410, "erased")

    for function, case in gone:
        request = operator_request(function, case)
        problem_of(functions[function](request), request, 410, "erased")

    for case in ("list_for_operator", "verify_for_operator"):
        assert answer_of(functions["audit"](operator_request("audit", case))).status == 200
