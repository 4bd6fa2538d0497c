"""The erasure waits for writers that began before its tombstone."""

from datetime import datetime, timedelta

import pytest

from tenancy.errors import ConflictError, UnavailableError
from tenancy.rules.durations import ROLL_UP_LEASE_TIME
from tenancy.stores.clickhouse.client import ClickHouseError
from tenancy.stores.postgres.platform.leases import take_lease
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.deletion.erase import WritersActiveError, await_writers
from tenancy.use_cases.held_events import release_held
from tenancy.use_cases.held_events.release_held import release_all, release_into_room
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.schedule.roll_up import roll_up
from tests.given import OPERATOR, Databases
from tests.handlers.functions import superuser
from tests.use_cases.erasing import PURGE, WRITER_WAIT, Platform
from tests.use_cases.storing import store

BEFORE = PURGE - timedelta(minutes=1)


def refuse_inserts(databases: Databases, table: str) -> None:
    """Make ClickHouse refuse every insert into *table*."""
    databases.clickhouse.command(f"ALTER TABLE {table} ADD CONSTRAINT nothing_passes CHECK 0")


def leases(databases: Databases) -> list[str]:
    with superuser(databases) as conn:
        return [name for (name,) in conn.execute("SELECT name FROM leases ORDER BY name")]


def assert_waited_for(platform: Platform, provisioned: Provisioned) -> None:
    """Assert that an erasure waits until the writers of the minute before have ended."""
    organization_id = provisioned.organization.id
    platform.delete(organization_id)
    platform.place_tombstones(organization_id)
    with pytest.raises(WritersActiveError):
        await_writers(
            platform.erasure_stores,
            organization_id,
            1,
            closed_at=PURGE,
            writer_wait=WRITER_WAIT,
            now=BEFORE + ROLL_UP_LEASE_TIME - WRITER_WAIT,
        )
    await_writers(
        platform.erasure_stores,
        organization_id,
        1,
        closed_at=PURGE,
        writer_wait=WRITER_WAIT,
        now=BEFORE + ROLL_UP_LEASE_TIME,
    )


def test_erasure_waits_for_writers_older_than_the_tombstone(
    platform: Platform, databases: Databases, acme: Provisioned
) -> None:
    organization_id = acme.organization.id
    platform.delete(organization_id)
    platform.place_tombstones(organization_id)

    def wait(now: datetime) -> None:
        await_writers(platform.erasure_stores, organization_id, 1, closed_at=PURGE, writer_wait=WRITER_WAIT, now=now)

    with pytest.raises(WritersActiveError):
        wait(PURGE + WRITER_WAIT - timedelta(seconds=1))

    wait(PURGE + WRITER_WAIT)

    for name in ("roll_up", f"release {organization_id}"):
        with databases.platform.transaction() as conn:
            before = PURGE - timedelta(minutes=1)
            take_lease(conn, name, organization_id, now=before, ends_at=before + ROLL_UP_LEASE_TIME)

        with pytest.raises(WritersActiveError):
            wait(PURGE + WRITER_WAIT)

        with databases.platform.transaction() as conn:
            since = PURGE + ROLL_UP_LEASE_TIME - timedelta(seconds=59)  # the earlier lease has ended
            take_lease(conn, name, OPERATOR.id, now=since, ends_at=since + ROLL_UP_LEASE_TIME)
        wait(since)


def test_erasure_waits_for_a_failed_roll_up(platform: Platform, databases: Databases, acme: Provisioned) -> None:
    """An INSERT … SELECT may continue although its client saw an error."""
    store(databases, acme.organization.id, range(3), at=BEFORE)
    refuse_inserts(databases, "daily_statistics")

    with pytest.raises(ClickHouseError):
        roll_up(databases.platform, databases.clickhouse, platform.redis, now=BEFORE)

    assert_waited_for(platform, acme)


def test_erasure_waits_for_a_failed_release(platform: Platform, databases: Databases, acme: Provisioned) -> None:
    store(databases, acme.organization.id, range(3), at=BEFORE, table="held_events", reason="quota")
    refuse_inserts(databases, "events")

    with pytest.raises(UnavailableError):
        release_all(
            databases.platform, databases.clickhouse, platform.redis, acme.organization.id, OPERATOR, now=BEFORE
        )

    assert_waited_for(platform, acme)


def test_erasure_waits_for_a_failed_release_into_room(
    platform: Platform, databases: Databases, acme: Provisioned
) -> None:
    store(databases, acme.organization.id, range(3), at=BEFORE, table="held_events", reason="quota")
    done = roll_up(databases.platform, databases.clickhouse, platform.redis, now=BEFORE)
    refuse_inserts(databases, "events")

    with pytest.raises(ClickHouseError):
        release_into_room(databases.platform, databases.clickhouse, platform.redis, done.held, done.usage, now=BEFORE)

    assert_waited_for(platform, acme)


def test_finished_or_refused_writers_leave_no_lease(
    platform: Platform, databases: Databases, counters: Redis, acme: Provisioned, monkeypatch: pytest.MonkeyPatch
) -> None:
    organization_id = acme.organization.id
    roll_up(databases.platform, databases.clickhouse, counters, now=BEFORE)

    release_all(databases.platform, databases.clickhouse, counters, organization_id, OPERATOR, now=BEFORE)

    assert leases(databases) == []

    def delete_and_check(*args: object) -> bool:
        platform.delete(organization_id)
        return is_releasable(*args)  # type: ignore[arg-type]

    is_releasable = release_held._is_releasable
    monkeypatch.setattr(release_held, "_is_releasable", delete_and_check)

    with pytest.raises(ConflictError):
        release_all(databases.platform, databases.clickhouse, counters, organization_id, OPERATOR, now=BEFORE)
    assert leases(databases) == []
