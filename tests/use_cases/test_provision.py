"""Provisioning creates a whole organization, with its gateway key, or nothing."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from uuid import uuid4

import boto3
import psycopg
import pytest

from scripts.stack import postgres
from tenancy.errors import SubdomainTakenError, UnavailableError
from tenancy.rules.durations import SUBDOMAIN_QUARANTINE
from tenancy.rules.tiers import Tier
from tenancy.stores.aws.gateway_keys import STACK_TAG
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.platform.quarantine import insert_quarantine
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.organizations.provision import (
    Provisioned,
    insert_provisioned,
    prepare_organization,
    provision_organization,
    put_gateway_key,
)
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tenancy.use_cases.schedule.sweep import sweep
from tests.given import NOW, OPERATOR, PLANS_PATH, REGION, AwsAccount, Databases, new_organization

FIND_WAITING = "SELECT pid FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'"


def keys_in_plan(aws: AwsAccount, tier: Tier) -> list[str]:
    gateway = boto3.client("apigateway", region_name=REGION)
    return [item["name"] for item in gateway.get_usage_plan_keys(usagePlanId=aws.plan_ids[tier])["items"]]


def test_gateway_key_is_in_the_usage_plan_of_its_tier(aws: AwsAccount, acme: Provisioned, globex: Provisioned) -> None:
    assert keys_in_plan(aws, Tier.STARTER) == [f"organization-{acme.organization.id}-1"]
    assert keys_in_plan(aws, Tier.GROWTH) == [f"organization-{globex.organization.id}-1"]


def test_provisioning_creates_an_admin_an_app_and_two_keys(databases: Databases, acme: Provisioned) -> None:
    with databases.functions.tenant_transaction(acme.organization.id) as conn:
        assert conn.execute("SELECT email, role, status FROM users").fetchall() == [
            ("admin@acme.example", "super_admin", "active")
        ]
        assert conn.execute("SELECT name, platform FROM apps").fetchall() == [("Default App", "web")]
        assert conn.execute("SELECT type FROM api_keys ORDER BY type").fetchall() == [("sk",), ("wk",)]


def test_password_is_stored_as_a_slow_hash(databases: Databases, targets: OutboxTargets) -> None:
    new = new_organization("acme")

    provisioned = provision_organization(databases.platform, targets, new, OPERATOR, now=NOW)

    with databases.functions.tenant_transaction(provisioned.organization.id) as conn:
        passwords = conn.execute("SELECT password_hash FROM users").fetchall()

    assert passwords[0][0].startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_only_the_welcome_mail_is_pending_after_the_answer(databases: Databases, targets: OutboxTargets) -> None:
    provision_organization(databases.platform, targets, new_organization("acme"), OPERATOR, now=NOW)

    with databases.platform.transaction() as conn:
        assert conn.execute("SELECT kind FROM outbox").fetchall() == [("welcome_mail",)]


def test_gateway_key_is_tagged_with_its_stack(acme: Provisioned) -> None:
    gateway = boto3.client("apigateway", region_name=REGION)

    [key] = gateway.get_api_keys(nameQuery=f"organization-{acme.organization.id}")["items"]
    assert key["tags"] == {STACK_TAG: PLANS_PATH}


def test_sweep_leaves_a_claimed_gateway_key_to_the_request(
    databases: Databases, counters: Redis, targets: OutboxTargets, aws: AwsAccount
) -> None:
    provisioned = prepare_organization(uuid4(), new_organization("acme"), now=NOW)
    with databases.platform.tenant_transaction(provisioned.organization.id) as conn:
        gateway_key = insert_provisioned(conn, provisioned, "$argon2id$", OPERATOR, now=NOW)
    run = sweep(databases.platform, counters, targets, now=NOW + timedelta(seconds=1))

    put_gateway_key(databases.platform, targets, gateway_key, now=NOW)

    assert run is not None
    assert run.outbox.done == ("welcome_mail",)
    assert keys_in_plan(aws, Tier.STARTER) == [f"organization-{provisioned.organization.id}-1"]
    with databases.platform.transaction() as conn:
        assert conn.execute("SELECT kind FROM outbox").fetchall() == []


@pytest.mark.parametrize(
    "subdomain", ["acme", "acrne", "www", "adm1n", "log-in", "0193f6a2-5c1e-4b7a-9d44-3f8a1c2e7b10"]
)
def test_taken_reserved_or_similar_subdomain_is_refused(
    databases: Databases, targets: OutboxTargets, acme: Provisioned, subdomain: str
) -> None:
    with pytest.raises(SubdomainTakenError):
        provision_organization(databases.platform, targets, new_organization(subdomain), OPERATOR, now=NOW)

    with databases.platform.transaction() as conn:
        assert conn.execute("SELECT id FROM organizations").fetchall() == [(acme.organization.id,)]


def test_quarantined_subdomain_is_refused_for_a_year(databases: Databases, targets: OutboxTargets) -> None:
    with databases.platform.transaction() as conn:
        insert_quarantine(conn, "acme", ends_at=NOW + SUBDOMAIN_QUARANTINE)

    for subdomain in ("acme", "acrne"):
        with pytest.raises(SubdomainTakenError):
            provision_organization(databases.platform, targets, new_organization(subdomain), OPERATOR, now=NOW)

    with databases.platform.transaction() as conn:
        assert conn.execute("SELECT id FROM organizations").fetchall() == []

    provision_organization(
        databases.platform, targets, new_organization("acme"), OPERATOR, now=NOW + timedelta(days=365)
    )


def test_subdomain_of_an_uncommitted_erasure_is_refused(
    databases: Databases, targets: OutboxTargets, acme: Provisioned
) -> None:
    eraser = Database(lambda: databases.servers.postgres_url(postgres.PLATFORM, databases.name))

    with ThreadPoolExecutor(1) as pool, closing(eraser), eraser.tenant_transaction(acme.organization.id) as conn:
        conn.execute("UPDATE organizations SET status = 'erasing'")  # only then a name may leave the look-up table
        conn.execute("UPDATE organizations SET subdomain = id::text")
        insert_quarantine(conn, "acme", ends_at=NOW + SUBDOMAIN_QUARANTINE)
        waiting = pool.submit(
            provision_organization, databases.platform, targets, new_organization("acme"), OPERATOR, now=NOW
        )

        with psycopg.connect(databases.servers.superuser_url, autocommit=True) as superuser:
            while not superuser.execute(FIND_WAITING, (databases.name,)).fetchall():
                assert not waiting.done()
                time.sleep(0.01)

    with pytest.raises(SubdomainTakenError):
        waiting.result()


def test_sweep_creates_the_gateway_key_that_failed(
    databases: Databases, counters: Redis, targets: OutboxTargets, aws: AwsAccount
) -> None:
    ssm = boto3.client("ssm", region_name=REGION)
    ssm.delete_parameter(Name=f"{PLANS_PATH}/starter")

    with pytest.raises(UnavailableError):
        provision_organization(databases.platform, targets, new_organization("acme"), OPERATOR, now=NOW)

    ssm.put_parameter(Name=f"{PLANS_PATH}/starter", Value=aws.plan_ids["starter"], Type="String")
    nothing_due = sweep(databases.platform, counters, targets, now=NOW + timedelta(seconds=1))
    finished = sweep(databases.platform, counters, targets, now=NOW + timedelta(minutes=5))

    assert nothing_due is not None
    assert nothing_due.outbox.done == ("welcome_mail",)
    assert finished is not None
    assert finished.outbox.done == ("gateway_key",)
    assert len(keys_in_plan(aws, Tier.STARTER)) == 1
