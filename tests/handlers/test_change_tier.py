"""PATCH /v1/organizations/{id} with another tier, and what holds from then on."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import boto3
import pytest

from tenancy.tiers import QUOTAS, Tier
from tenancy.use_cases.effects import World, drain
from tenancy.use_cases.provision import Provisioned
from tests.given import REGION, AwsAccount, Databases, tenant_of
from tests.handlers.functions import Function, Start, superuser
from tests.handlers.requests import (
    OPERATOR,
    Event,
    answer_of,
    at,
    called_by,
    problem_of,
    sample,
    to_authorizer,
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
    provision: Function, start: Start, databases: Databases, world: World, aws: AwsAccount, acme: Provisioned
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
    drain(databases.platform, world, now=datetime.now(UTC) + timedelta(minutes=3))
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
    request = change(acme, {"tier": "growth"})
    problem_of(provision(request), request, 409, "transition_not_allowed")


def test_who_is_not_there_and_what_is_no_tier(provision: Function, acme: Provisioned) -> None:
    request = change(str(uuid4()), {"tier": "growth"})
    problem_of(provision(request), request, 404, "not_found")
    bodies: list[object] = [{"tier": "gold"}, {"tier": None}, {}, {"tier": "growth", "status": "suspended"}, []]
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

    for dies_in in ("update_tier", "insert_tier_change", "insert_record", "insert_effect"):
        with monkeypatch.context() as patch:
            patch.setattr(f"tenancy.use_cases.change_tier.{dies_in}", die)
            with pytest.raises(KeyboardInterrupt):
                provision(change(acme, {"tier": "growth"}))
    with databases.functions.tenant_transaction(acme.organization.id) as conn:
        assert conn.execute("SELECT tier FROM organizations").fetchall() == [("starter",)]
    assert answer_of(provision(change(acme, {"tier": "growth"}))).status == 200
    assert len(plans_of(aws, acme.organization.id)["growth"]) == 1
