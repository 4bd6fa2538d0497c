"""A changed standing applies to the next request, also after Redis lost its data."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from redis import Redis as Client

from tenancy.rules.admission import AdmissionVerdict
from tenancy.rules.standing import REVOKED, CredentialState
from tenancy.rules.tenant import CallerKind, RateBucket
from tenancy.rules.tiers import Tier
from tenancy.rules.usage import RequestCounts, month_of
from tenancy.stores.postgres.standing import find_counted_month, find_standing
from tenancy.stores.postgres.usage import list_daily_usage
from tenancy.stores.redis.client import Redis
from tenancy.stores.redis.counters import put_standing
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.schedule.persist_request_counts import persist_request_counts
from tests.given import Databases, tenant_of
from tests.handlers.functions import superuser
from tests.use_cases.admitting import NOW, Admit


def set_status(databases: Databases, acme: Provisioned, status: str) -> None:
    with databases.platform.transaction() as conn:
        values = (status, acme.organization.id)
        conn.execute("UPDATE organizations SET status = %s, updated_at = clock_timestamp() WHERE id = %s", values)


def publish(databases: Databases, counters: Redis, acme: Provisioned) -> None:
    with databases.platform.tenant_transaction(acme.organization.id) as conn:
        standing = find_standing(conn, acme.organization.id)
    assert standing is not None
    put_standing(counters, acme.organization.id, standing)


def test_suspension_and_its_end_apply_to_the_next_request(
    admit: Admit, counters: Redis, databases: Databases, acme: Provisioned
) -> None:
    assert admit(tenant_of(acme)).verdict is AdmissionVerdict.ADMITTED

    set_status(databases, acme, "suspended")
    publish(databases, counters, acme)

    refused = admit(tenant_of(acme))

    assert (refused.verdict, refused.status) == (AdmissionVerdict.INACTIVE, "suspended")

    set_status(databases, acme, "active")
    publish(databases, counters, acme)

    assert admit(tenant_of(acme)).verdict is AdmissionVerdict.ADMITTED


def test_revoked_key_is_refused_at_the_next_request(
    admit: Admit, counters: Redis, databases: Databases, acme: Provisioned
) -> None:
    tenant = tenant_of(acme)

    assert admit(tenant).verdict is AdmissionVerdict.ADMITTED

    with superuser(databases) as conn:
        conn.execute("UPDATE api_keys SET revoked_at = now() WHERE id = %s", (acme.secret_key_id,))

    with databases.platform.tenant_transaction(acme.organization.id) as conn:
        standing = find_standing(conn, acme.organization.id)
    assert standing is not None

    put_standing(counters, acme.organization.id, standing, credential=(acme.secret_key_id, REVOKED))
    refused = admit(tenant)

    assert (refused.verdict, refused.rate) == (AdmissionVerdict.UNAUTHENTICATED, None)

    other = replace(tenant, credential_id=acme.write_key_id, bucket=RateBucket.INGEST)
    assert admit(other).verdict is AdmissionVerdict.ADMITTED


@pytest.mark.parametrize("table", ["organizations", "users"])
def test_new_epoch_ends_the_tokens_of_a_person(
    admit: Admit, counters: Redis, databases: Databases, acme: Provisioned, table: str
) -> None:
    person = replace(tenant_of(acme), credential_id=acme.admin_user_id, kind=CallerKind.PERSON, epoch="0.0")

    assert admit(person).verdict is AdmissionVerdict.ADMITTED

    with superuser(databases) as conn:
        changes = "token_epoch = 1, updated_at = clock_timestamp()" if table == "organizations" else "token_epoch = 1"
        conn.execute(f"UPDATE {table} SET {changes}")
    publish(databases, counters, acme)

    if table == "users":
        with databases.platform.tenant_transaction(acme.organization.id) as conn:
            standing = find_standing(conn, acme.organization.id)
        assert standing is not None
        put_standing(
            counters, acme.organization.id, standing, credential=(acme.admin_user_id, CredentialState(epoch=1))
        )

    assert admit(person).verdict is AdmissionVerdict.UNAUTHENTICATED

    fresh = replace(person, epoch="1.0" if table == "organizations" else "0.1")
    assert admit(fresh).verdict is AdmissionVerdict.ADMITTED
    assert admit(tenant_of(acme)).verdict is AdmissionVerdict.ADMITTED


def test_unknown_credential_or_organization_is_unauthenticated(admit: Admit, acme: Provisioned) -> None:
    stranger = replace(tenant_of(acme), credential_id=acme.app_id)

    assert admit(stranger).verdict is AdmissionVerdict.UNAUTHENTICATED

    nowhere = replace(tenant_of(acme), organization_id=acme.app_id)
    assert admit(nowhere).verdict is AdmissionVerdict.UNAUTHENTICATED


def test_tier_change_applies_at_once_and_keeps_counters(
    admit: Admit, counters: Redis, databases: Databases, acme: Provisioned
) -> None:
    for _ in range(101):
        last = admit(tenant_of(acme), events=10)

    assert last.verdict is AdmissionVerdict.RATE_LIMITED

    with databases.platform.transaction() as conn:
        conn.execute("UPDATE organizations SET tier = 'growth', updated_at = clock_timestamp()")
    publish(databases, counters, acme)

    found = admit(tenant_of(acme), events=10)

    assert found.verdict is AdmissionVerdict.ADMITTED
    assert found.tier is Tier.GROWTH
    assert found.rate is not None
    assert (found.rate.limit, found.rate.remaining) == (500, 500 - 102)
    assert found.used == 1_000


# ---------------------------------------------------------------------------------------------------- flushed Redis


def flush(databases: Databases) -> None:
    with Client.from_url(databases.servers.valkey_url) as client:
        client.flushall()


def test_flush_admits_at_most_twice_the_limit(admit: Admit, databases: Databases, acme: Provisioned) -> None:
    with superuser(databases) as conn:
        conn.execute("UPDATE api_keys SET revoked_at = now() WHERE id = %s", (acme.write_key_id,))

    revoked = replace(tenant_of(acme), credential_id=acme.write_key_id, bucket=RateBucket.INGEST)
    verdicts = []
    for number in range(400):
        if number == 90:
            flush(databases)
        verdicts.append(admit(tenant_of(acme), now=NOW + timedelta(milliseconds=number)).verdict)
        assert admit(revoked).verdict is AdmissionVerdict.UNAUTHENTICATED

    assert 100 <= Counter(verdicts)[AdmissionVerdict.ADMITTED] <= 200


def test_flush_loses_only_requests_that_were_not_persisted(
    admit: Admit, counters: Redis, databases: Databases, acme: Provisioned
) -> None:
    for _ in range(30):
        admit(tenant_of(acme))

    assert persist_request_counts(databases.platform, counters, now=NOW) == 1

    for _ in range(20):
        admit(tenant_of(acme))
    flush(databases)
    for _ in range(40):
        admit(tenant_of(acme))

    for _ in range(2):
        persist_request_counts(databases.platform, counters, now=NOW)

    with databases.functions.tenant_transaction(acme.organization.id) as conn:
        rows = conn.execute("SELECT metric_date, api_requests_count FROM tenant_usage").fetchall()
    assert rows == [(NOW.date(), 70)]


def test_requests_of_both_buckets_survive_a_flush(
    admit: Admit, counters: Redis, databases: Databases, acme: Provisioned
) -> None:
    device = replace(tenant_of(acme), credential_id=acme.write_key_id, bucket=RateBucket.INGEST)
    tenants = [device, device, device, tenant_of(acme), tenant_of(acme)]

    for _ in range(2):
        for tenant in tenants:
            admit(tenant)
        persist_request_counts(databases.platform, counters, now=NOW)
        flush(databases)

    with databases.functions.tenant_transaction(acme.organization.id) as conn:
        [day] = list_daily_usage(conn, acme.organization.id)
        month = find_counted_month(conn, acme.organization.id, month_of(NOW.date()), today=NOW.date())
    assert (day.ingest_requests, day.api_requests) == (6, 4)
    assert month.so_far.requests == month.so_far.requests_today == RequestCounts(all=10, management=4)


def test_last_requests_of_a_day_are_persisted_after_midnight(
    admit: Admit, counters: Redis, databases: Databases, acme: Provisioned
) -> None:
    """The day is the last one of its month, so that its counters have another key."""
    late = datetime(2026, 11, 30, 23, 59, 30, tzinfo=UTC)

    for moment in (late, late, late + timedelta(minutes=1)):
        admit(tenant_of(acme), now=moment)

    assert persist_request_counts(databases.platform, counters, now=late + timedelta(minutes=2)) == 2

    with databases.functions.tenant_transaction(acme.organization.id) as conn:
        rows = conn.execute("SELECT metric_date::text, api_requests_count FROM tenant_usage ORDER BY 1").fetchall()
    assert rows == [("2026-11-30", 2), ("2026-12-01", 1)]


def test_every_redis_key_of_an_organization_expires(admit: Admit, databases: Databases, acme: Provisioned) -> None:
    admit(tenant_of(acme), events=3)

    with Client.from_url(databases.servers.valkey_url, decode_responses=True) as client:
        keys = [key for key in client.keys("*") if str(acme.organization.id) in key]
        assert len(keys) == 4
        assert all(client.pttl(key) > 0 for key in keys), keys
