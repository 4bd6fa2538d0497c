"""PATCH /v1/organizations/{id} with another name, tier or status, and what holds from then on."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import boto3
import pytest

from tenancy.rules.tiers import QUOTAS, Tier
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.outbox.run_entries import OutboxTargets, run_due_entries
from tests.given import REGION, AwsAccount, Databases, tenant_of
from tests.handlers.functions import Function, Start, superuser
from tests.handlers.requests import (
    OPERATOR,
    Event,
    answer_of,
    at,
    call,
    called_by,
    problem_of,
    recent,
    sample,
    to_authorizer,
    with_basic,
    with_body,
)

INSERT_USER = "INSERT INTO users (id, organization_id, email, role) VALUES (%s, %s, %s, 'viewer')"


@pytest.fixture
def provision(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("provision")


def change(who: Provisioned | str, body: object) -> Event:
    organization_id = who if isinstance(who, str) else str(who.organization.id)
    request = sample("provision", "change_tier")
    request = at(request, f"/organizations/{organization_id}", request["resource"])
    return called_by(with_body({**request, "pathParameters": {"organization_id": organization_id}}, body), OPERATOR)


def plans_of(aws: AwsAccount, organization_id: object) -> dict[str, set[str]]:
    """Return the organization's gateway keys by the plan that they are in."""
    gateway: Any = boto3.client("apigateway", region_name=REGION)
    return {
        tier: {
            item["name"]
            for item in gateway.get_usage_plan_keys(usagePlanId=plan_id)["items"]
            if str(organization_id) in item["name"]
        }
        for tier, plan_id in aws.plan_ids.items()
    }


def test_limits_are_the_new_tiers_at_the_next_request_and_the_key_is_always_in_a_plan(
    provision: Function, start: Start, databases: Databases, targets: OutboxTargets, aws: AwsAccount, acme: Provisioned
) -> None:
    usage, authorizer = start("usage"), start("authorizer")
    read = called_by(sample("usage", "usage"), tenant_of(acme))  # as the authorizer's answer, cached, still says
    assert answer_of(usage(read)).headers["ratelimit-policy"] == '"rpm";q=100;w=60'
    answer = answer_of(provision(change(acme, {"tier": "growth"})))
    assert (answer.status, answer.document["tier"]) == (200, "growth")
    after = answer_of(usage(read))
    assert after.headers["ratelimit-policy"] == '"rpm";q=500;w=60'
    assert after.headers["ratelimit"].startswith('"rpm";r=498;')
    assert after.document["tier"] == "growth"
    assert after.document["quotas"]["events"]["limit"] == QUOTAS[Tier.GROWTH].events_per_month
    plans = plans_of(aws, acme.organization.id)
    assert (len(plans["starter"]), len(plans["growth"]), len(plans["enterprise"])) == (1, 1, 0)
    key = authorizer(to_authorizer(f"Bearer {acme.secret_key.text}"))["usageIdentifierKey"]
    assert {key} == plans["growth"]
    run_due_entries(databases.platform, targets, now=datetime.now(UTC) + timedelta(minutes=3))
    gateway: Any = boto3.client("apigateway", region_name=REGION)
    names = [item["name"] for item in gateway.get_api_keys(limit=500)["items"]]
    assert [name for name in names if str(acme.organization.id) in name] == [key]


def test_a_change_is_on_record_once_and_the_same_tier_is_none(
    provision: Function, databases: Databases, acme: Provisioned
) -> None:
    for _ in range(3):
        assert answer_of(provision(change(acme, {"tier": "enterprise"}))).document["tier"] == "enterprise"
    with databases.functions.tenant_transaction(acme.organization.id) as conn:
        statement = "SELECT action, target FROM audit_log WHERE action = 'organization.tier_changed'"
        assert conn.execute(statement).fetchall() == [("organization.tier_changed", "starter to enterprise")]
        assert conn.execute("SELECT from_tier, to_tier FROM tier_changes").fetchall() == [("starter", "enterprise")]


def test_a_downgrade_that_does_not_fit_is_refused_with_what_blocks_it(
    provision: Function, databases: Databases, aws: AwsAccount, globex: Provisioned
) -> None:
    with superuser(databases) as conn:
        for _ in range(5):
            user_id = uuid4()
            conn.execute(INSERT_USER, (user_id, globex.organization.id, f"{user_id}@globex.example"))
    request = change(globex, {"tier": "starter"})
    assert problem_of(provision(request), request, 409, "downgrade_blocked")["blockers"] == ["users"]
    assert plans_of(aws, globex.organization.id)["starter"] == set()
    with superuser(databases) as conn:
        conn.execute("UPDATE users SET status = 'removed' WHERE role = 'viewer'")
    assert answer_of(provision(request)).document["tier"] == "starter"


@pytest.mark.parametrize("status", ["deleted", "erasing"])
def test_what_is_deleted_is_not_changed(
    provision: Function, databases: Databases, acme: Provisioned, status: str
) -> None:
    with superuser(databases) as conn:
        conn.execute("UPDATE organizations SET status = %s", (status,))
    for body in ({"tier": "growth"}, {"name": "Acme 2"}, {"status": "active"}, {"status": "suspended"}):
        request = change(acme, body)
        problem_of(provision(request), request, 409, "transition_not_allowed")


def test_who_is_not_there_and_what_is_no_change(provision: Function, acme: Provisioned) -> None:
    for found in ({"tier": "growth"}, {"name": "Acme 2"}):
        request = change(str(uuid4()), found)
        problem_of(provision(request), request, 404, "not_found")
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
        request = change(acme, body)
        problem_of(provision(request), request, 422, "invalid")
    own = called_by(change(acme, {"tier": "enterprise"}), tenant_of(acme))
    problem_of(provision(own), own, 403, "forbidden")


def test_a_change_that_dies_before_its_commit_is_done_by_the_next_try_with_the_same_key(
    provision: Function, databases: Databases, aws: AwsAccount, acme: Provisioned, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    for dies_in in ("update_organization", "insert_tier_change", "insert_record", "insert_effect"):
        with monkeypatch.context() as patch:
            patch.setattr(f"tenancy.use_cases.organizations.change_organization.{dies_in}", die)
            with pytest.raises(KeyboardInterrupt):
                provision(change(acme, {"tier": "growth"}))
    with databases.functions.tenant_transaction(acme.organization.id) as conn:
        assert conn.execute("SELECT tier FROM organizations").fetchall() == [("starter",)]
    assert answer_of(provision(change(acme, {"tier": "growth"}))).status == 200
    assert len(plans_of(aws, acme.organization.id)["growth"]) == 1


# ---------------------------------------------------------------------------------------------------- name and status


def recorded(databases: Databases, who: Provisioned) -> list[tuple[str, str]]:
    with databases.functions.tenant_transaction(who.organization.id) as conn:
        statement = "SELECT action, target FROM audit_log WHERE action <> 'organization.provisioned'"
        return sorted(conn.execute(statement).fetchall())


def version_of(databases: Databases, who: Provisioned) -> datetime:
    with databases.functions.tenant_transaction(who.organization.id) as conn:
        [(updated_at,)] = conn.execute("SELECT updated_at FROM organizations")
    assert isinstance(updated_at, datetime)
    return updated_at


def doors(start: Start, who: Provisioned) -> list[tuple[Function, Event]]:
    """Return a request of every kind of credential, as the authorizer's answer, cached, still lets it through."""
    tenant = tenant_of(who)
    usage, ingest, audit = start("usage"), start("ingest"), start("audit")
    segment = {"batch": [call(1)], "writeKey": who.write_key.text}
    return [
        (usage, called_by(sample("usage", "usage"), tenant)),
        (usage, called_by(sample("usage", "stats"), tenant)),
        (usage, called_by(sample("usage", "report_predictions"), tenant)),
        (audit, called_by(sample("audit", "list"), tenant)),
        (ingest, called_by(with_body(sample("ingest", "events"), {"events": [recent(1)]}), tenant)),
        (ingest, with_body(sample("ingest", "segment_batch"), segment)),
        (ingest, with_basic(with_body(sample("ingest", "segment_call"), call(2)), who.write_key)),
    ]


def test_suspension_bites_on_every_door_at_once_and_reactivation_opens_them(
    provision: Function, start: Start, acme: Provisioned, globex: Provisioned
) -> None:
    of_acme, of_globex = doors(start, acme), doors(start, globex)
    assert {answer_of(door(request)).status for door, request in of_acme} == {200}
    assert answer_of(provision(change(acme, {"status": "suspended"}))).document["status"] == "suspended"
    for door, request in of_acme:
        problem_of(door(request), request, 403, "organization_inactive")
    assert {answer_of(door(request)).status for door, request in of_globex} == {200}
    assert answer_of(provision(change(acme, {"status": "active"}))).document["status"] == "active"
    assert {answer_of(door(request)).status for door, request in of_acme} == {200}


def test_a_change_is_on_record_without_the_name_and_what_is_so_already_is_no_change(
    provision: Function, databases: Databases, acme: Provisioned
) -> None:
    id_ = str(acme.organization.id)
    changes = [{"name": " Acme\u0301 "}, {"status": "suspended"}, {"status": "active"}]
    wanted = ["organization.renamed", "organization.suspended", "organization.reactivated"]
    for number, body in enumerate(changes):
        before = version_of(databases, acme)
        first = answer_of(provision(change(acme, body))).document
        assert version_of(databases, acme) > before
        assert answer_of(provision(change(acme, body))).document == first
        assert recorded(databases, acme) == sorted((action, id_) for action in wanted[: number + 1])
    assert first["name"] == "Acm\u00e9"


def test_a_change_is_done_whole_or_not_at_all(provision: Function, databases: Databases, globex: Provisioned) -> None:
    with superuser(databases) as conn:
        for _ in range(5):
            user_id = uuid4()
            conn.execute(INSERT_USER, (user_id, globex.organization.id, f"{user_id}@globex.example"))
    request = change(globex, {"name": "Globex 2", "status": "suspended", "tier": "starter"})
    problem_of(provision(request), request, 409, "downgrade_blocked")
    assert answer_of(provision(change(globex, {"status": "active"}))).document["name"] == "Globex"
    assert recorded(databases, globex) == []
    document = answer_of(provision(change(globex, {"name": "G", "status": "suspended", "tier": "enterprise"}))).document
    assert (document["name"], document["status"], document["tier"]) == ("G", "suspended", "enterprise")
    assert [action for action, _ in recorded(databases, globex)] == [
        "organization.renamed",
        "organization.suspended",
        "organization.tier_changed",
    ]


def test_what_is_more_than_the_tier_includes_blocks_no_other_change(
    provision: Function, databases: Databases, acme: Provisioned
) -> None:
    with superuser(databases) as conn:
        for _ in range(6):
            user_id = uuid4()
            conn.execute(INSERT_USER, (user_id, acme.organization.id, f"{user_id}@acme.example"))
    assert answer_of(provision(change(acme, {"name": "Acme 2", "tier": "starter"}))).document["name"] == "Acme 2"


def test_an_erased_organization_is_gone_for_the_operator_but_its_log_is_not(
    provision: Function, start: Start, databases: Databases, acme: Provisioned
) -> None:
    with superuser(databases) as conn:
        conn.execute("UPDATE organizations SET status = 'erased'")
    id_ = str(acme.organization.id)

    def operators(function: str, case: str) -> Event:
        request = sample(function, case)
        request = at(request, request["resource"].replace("{organization_id}", id_), request["resource"])
        return called_by({**request, "pathParameters": {"organization_id": id_}}, OPERATOR)

    gone = [("provision", "get"), ("usage", "usage_for_operator"), ("held_events", "count"), ("held_events", "release")]
    functions = {name: start(name) for name in ("usage", "held_events", "audit")} | {"provision": provision}
    for request in (change(acme, {"tier": "growth"}), change(acme, {"status": "active"})):
        problem_of(provision(request), request, 410, "erased")
    for function, case in gone:
        request = operators(function, case)
        problem_of(functions[function](request), request, 410, "erased")
    for case in ("list_for_operator", "verify_for_operator"):
        assert answer_of(functions["audit"](operators("audit", case))).status == 200
