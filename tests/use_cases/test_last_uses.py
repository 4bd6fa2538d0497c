"""Redis notes the hour of a key's last use. The roll-up persists it."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from redis import Redis as Client

from tenancy.rules.audit_record import PLATFORM_LOG
from tenancy.rules.durations import LAST_USE_RETENTION
from tenancy.rules.tenant import CallerKind, Operator, RateBucket
from tenancy.rules.tiers import PLATFORM_REQUESTS_PER_MINUTE
from tenancy.stores.redis.client import Redis
from tenancy.stores.redis.counters import last_use_key
from tenancy.stores.redis.platform.counters import count_counters, delete_counters
from tenancy.stores.redis.platform.last_uses import MAX_USED_KEYS, forget_last_uses, list_last_uses
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.schedule.persist_last_uses import persist_last_uses
from tests.given import PATIENCE_SECONDS, Databases, tenant_of
from tests.handlers.functions import insert_operator, superuser
from tests.use_cases.admitting import NOW, Admit

HOUR = timedelta(hours=1)
OPERATOR = Operator(credential_id=UUID(int=7))


def noted(databases: Databases, organization_id: UUID) -> dict[str, str]:
    with Client.from_url(databases.servers.valkey_url, decode_responses=True) as client:
        found = client.hgetall(last_use_key(organization_id))
    return {str(key): str(hour) for key, hour in found.items()}


def stored(databases: Databases, table: str = "api_keys") -> dict[UUID, datetime]:
    with superuser(databases) as conn:
        rows = conn.execute(f"SELECT id, last_used_at FROM {table} WHERE last_used_at IS NOT NULL".encode())
        return dict(rows.fetchall())


def test_use_of_a_key_is_noted_once_an_hour(admit: Admit, databases: Databases, acme: Provisioned) -> None:
    device = replace(tenant_of(acme), credential_id=acme.write_key_id, bucket=RateBucket.INGEST)
    organization_id = acme.organization.id

    for minutes in (0, 10, 59):
        admit(tenant_of(acme), now=NOW + timedelta(minutes=minutes))
    admit(device, now=NOW + HOUR)

    assert noted(databases, organization_id) == {
        str(acme.secret_key_id): "2026-11-24T12",
        str(acme.write_key_id): "2026-11-24T13",
    }
    with Client.from_url(databases.servers.valkey_url) as client:
        left = timedelta(milliseconds=int(str(client.pttl(last_use_key(organization_id)))))
    assert timedelta() < left <= LAST_USE_RETENTION


def test_clock_that_is_behind_changes_no_hour(admit: Admit, databases: Databases, acme: Provisioned) -> None:
    admit(tenant_of(acme), now=NOW + HOUR)

    admit(tenant_of(acme), now=NOW)

    assert noted(databases, acme.organization.id) == {str(acme.secret_key_id): "2026-11-24T13"}


def test_people_and_refused_keys_are_not_noted(admit: Admit, databases: Databases, acme: Provisioned) -> None:
    person = replace(tenant_of(acme), credential_id=acme.admin_user_id, kind=CallerKind.PERSON, epoch="0.0")
    with superuser(databases) as conn:
        conn.execute("UPDATE api_keys SET expires_at = %s WHERE id = %s", (NOW, acme.secret_key_id))

    for caller in (person, tenant_of(acme)):
        admit(caller)

    assert noted(databases, acme.organization.id) == {}


def test_roll_up_persists_hours_of_all_organizations(
    admit: Admit, databases: Databases, counters: Redis, acme: Provisioned, globex: Provisioned
) -> None:
    admit(tenant_of(acme), now=NOW + timedelta(minutes=5))
    admit(tenant_of(globex), now=NOW + HOUR)

    assert persist_last_uses(databases.platform, counters) == 2

    assert stored(databases) == {acme.secret_key_id: NOW, globex.secret_key_id: NOW + HOUR}
    assert (noted(databases, acme.organization.id), noted(databases, globex.organization.id)) == ({}, {})
    assert persist_last_uses(databases.platform, counters) == 0


def test_persisted_hour_never_goes_back(admit: Admit, databases: Databases, counters: Redis, acme: Provisioned) -> None:
    for moment in (NOW + HOUR, NOW):
        admit(tenant_of(acme), now=moment)
        persist_last_uses(databases.platform, counters)

    assert stored(databases) == {acme.secret_key_id: NOW + HOUR}


def test_hash_of_one_organization_names_no_key_of_another(
    databases: Databases, counters: Redis, acme: Provisioned, globex: Provisioned
) -> None:
    with Client.from_url(databases.servers.valkey_url) as client:
        client.hset(last_use_key(globex.organization.id), str(acme.secret_key_id), "2026-11-24T12")

    persist_last_uses(databases.platform, counters)

    assert stored(databases) == {}


def test_later_use_during_the_roll_up_is_kept(admit: Admit, counters: Redis, acme: Provisioned) -> None:
    admit(tenant_of(acme), now=NOW)
    persisted = list_last_uses(counters, [acme.organization.id])
    admit(tenant_of(acme), now=NOW + HOUR)

    forget_last_uses(counters, persisted)

    assert list_last_uses(counters, [acme.organization.id]) == {acme.organization.id: {acme.secret_key_id: NOW + HOUR}}


def test_one_run_reads_a_bounded_number_of_keys(databases: Databases, counters: Redis, acme: Provisioned) -> None:
    with Client.from_url(databases.servers.valkey_url) as client:
        for number in range(MAX_USED_KEYS + 2):
            client.hset(last_use_key(acme.organization.id), str(UUID(int=number)), "2026-11-24T12")

    runs = [persist_last_uses(databases.platform, counters) for _ in range(3)]

    assert runs == [MAX_USED_KEYS, 2, 0]


def test_use_of_a_platform_key_is_persisted(admit: Admit, databases: Databases, counters: Redis) -> None:
    with superuser(databases) as conn:
        insert_operator(conn, OPERATOR)
    for _ in range(PLATFORM_REQUESTS_PER_MINUTE + 1):
        admit(OPERATOR, now=NOW)

    assert noted(databases, PLATFORM_LOG) == {str(OPERATOR.credential_id): "2026-11-24T12"}
    assert persist_last_uses(databases.platform, counters) == 1
    assert stored(databases, "platform_keys") == {OPERATOR.credential_id: NOW}


@pytest.mark.parametrize("end", ["revoked_at", "expires_at"])
def test_refused_use_of_a_platform_key_is_not_after_its_end(
    admit: Admit, databases: Databases, counters: Redis, end: str
) -> None:
    with superuser(databases) as conn:
        insert_operator(conn, OPERATOR)
        conn.execute(f"UPDATE platform_keys SET {end} = %s".encode(), (NOW + timedelta(minutes=59),))
    admit(OPERATOR, now=NOW + HOUR)

    persist_last_uses(databases.platform, counters)

    assert stored(databases, "platform_keys") == {OPERATOR.credential_id: NOW}


def test_unreachable_redis_persists_nothing(databases: Databases, nowhere: str) -> None:
    unreachable = Redis(lambda: f"redis://{nowhere}/0", timeout_seconds=PATIENCE_SECONDS)

    assert persist_last_uses(databases.platform, unreachable) is None


def test_erasure_deletes_the_last_uses(admit: Admit, databases: Databases, counters: Redis, acme: Provisioned) -> None:
    admit(tenant_of(acme))
    keys = count_counters(counters, acme.organization.id, now=NOW)

    delete_counters(counters, acme.organization.id, now=NOW)

    assert keys == 4
    assert (count_counters(counters, acme.organization.id, now=NOW), noted(databases, acme.organization.id)) == (0, {})
