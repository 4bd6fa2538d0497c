"""Provisioning: all of an organization, or nothing of it, and what it owes to the world done before it is answered."""

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

IS_ANYONE_WAITING = "SELECT pid FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'"


def keys_in_plan(aws: AwsAccount, tier: Tier) -> list[str]:
    gateway = boto3.client("apigateway", region_name=REGION)
    return [item["name"] for item in gateway.get_usage_plan_keys(usagePlanId=aws.plan_ids[tier])["items"]]


def test_an_organizations_gateway_key_is_in_the_plan_of_its_tier(
    aws: AwsAccount, acme: Provisioned, globex: Provisioned
) -> None:
    assert keys_in_plan(aws, Tier.STARTER) == [f"organization-{acme.organization.id}-1"]
    assert keys_in_plan(aws, Tier.GROWTH) == [f"organization-{globex.organization.id}-1"]


def test_provisioning_makes_an_administrator_an_app_and_two_keys(databases: Databases, acme: Provisioned) -> None:
    with databases.functions.tenant_transaction(acme.organization.id) as conn:
        assert conn.execute("SELECT email, role, status FROM users").fetchall() == [
            ("admin@acme.example", "super_admin", "active")
        ]
        assert conn.execute("SELECT name, platform FROM apps").fetchall() == [("Default App", "web")]
        assert conn.execute("SELECT type FROM api_keys ORDER BY type").fetchall() == [("sk",), ("wk",)]
        passwords = conn.execute("SELECT password_hash FROM users").fetchall()
    assert passwords[0][0].startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_only_the_mail_is_owed_once_it_is_answered(databases: Databases, targets: OutboxTargets) -> None:
    provision_organization(databases.platform, targets, new_organization("acme"), OPERATOR, now=NOW)
    with databases.platform.transaction() as conn:
        assert conn.execute("SELECT kind FROM outbox").fetchall() == [("welcome_mail",)]


def test_a_gateway_key_has_the_tag_by_which_its_stack_may_delete_it(acme: Provisioned) -> None:
    gateway = boto3.client("apigateway", region_name=REGION)
    [key] = gateway.get_api_keys(nameQuery=f"organization-{acme.organization.id}")["items"]
    assert key["tags"] == {STACK_TAG: PLANS_PATH}


def test_a_sweep_right_after_the_commit_leaves_the_gateway_key_to_the_request(
    databases: Databases, counters: Redis, targets: OutboxTargets, aws: AwsAccount
) -> None:
    made = prepare_organization(uuid4(), new_organization("acme"), now=NOW)
    with databases.platform.tenant_transaction(made.organization.id) as conn:
        gateway_key = insert_provisioned(conn, made, "$argon2id$", OPERATOR, now=NOW)
    run = sweep(databases.platform, counters, targets, now=NOW + timedelta(seconds=1))
    put_gateway_key(databases.platform, targets, gateway_key, now=NOW)
    assert run is not None
    assert run.outbox.done == ("welcome_mail",)
    assert keys_in_plan(aws, Tier.STARTER) == [f"organization-{made.organization.id}-1"]
    with databases.platform.transaction() as conn:
        assert conn.execute("SELECT kind FROM outbox").fetchall() == []


@pytest.mark.parametrize(
    "subdomain", ["acme", "acrne", "www", "adm1n", "log-in", "0193f6a2-5c1e-4b7a-9d44-3f8a1c2e7b10"]
)
def test_a_subdomain_that_is_taken_or_reserved_or_looks_like_one_is_refused_and_nothing_is_made(
    databases: Databases, targets: OutboxTargets, acme: Provisioned, subdomain: str
) -> None:
    with pytest.raises(SubdomainTakenError):
        provision_organization(databases.platform, targets, new_organization(subdomain), OPERATOR, now=NOW)
    with databases.platform.transaction() as conn:
        assert conn.execute("SELECT id FROM organizations").fetchall() == [(acme.organization.id,)]


def test_an_erased_organizations_subdomain_is_nobodys_for_a_year(databases: Databases, targets: OutboxTargets) -> None:
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


def test_who_waits_for_an_erasure_to_commit_does_not_get_its_subdomain(
    databases: Databases, targets: OutboxTargets, acme: Provisioned
) -> None:
    eraser = Database(lambda: databases.servers.postgres_url(postgres.PLATFORM, databases.name))
    with ThreadPoolExecutor(1) as pool, closing(eraser), eraser.tenant_transaction(acme.organization.id) as conn:
        conn.execute("UPDATE organizations SET subdomain = id::text")
        insert_quarantine(conn, "acme", ends_at=NOW + SUBDOMAIN_QUARANTINE)
        waiting = pool.submit(
            provision_organization, databases.platform, targets, new_organization("acme"), OPERATOR, now=NOW
        )
        with psycopg.connect(databases.servers.superuser_url, autocommit=True) as superuser:
            while not superuser.execute(IS_ANYONE_WAITING, (databases.name,)).fetchall():
                assert not waiting.done()
                time.sleep(0.01)
    with pytest.raises(SubdomainTakenError):
        waiting.result()


def test_what_the_gateway_refused_is_finished_by_the_sweep(
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
