"""The erasure waits for whoever began to write before the gate closed, and for what ClickHouse may still write."""

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
from tests.use_cases.erasing import PURGE, QUIET, Platform
from tests.use_cases.storing import store

BEFORE = PURGE - timedelta(minutes=1)


def refuse_inserts(databases: Databases, table: str) -> None:
    """Let ClickHouse fail whatever is written to *table*."""
    databases.clickhouse.command(f"ALTER TABLE {table} ADD CONSTRAINT nothing_passes CHECK 0")


def leases(databases: Databases) -> list[str]:
    with superuser(databases) as conn:
        return [name for (name,) in conn.execute("SELECT name FROM leases ORDER BY name")]


def assert_waited_for(platform: Platform, made: Provisioned) -> None:
    """Delete, and see that the erasure waits until everything that began a minute before has ended."""
    own = made.organization.id
    platform.delete(own)
    platform.close(own)
    with pytest.raises(WritersActiveError):
        await_writers(
            platform.erasure_stores, own, 1, closed_at=PURGE, writer_wait=QUIET, now=BEFORE + ROLL_UP_LEASE_TIME - QUIET
        )
    await_writers(platform.erasure_stores, own, 1, closed_at=PURGE, writer_wait=QUIET, now=BEFORE + ROLL_UP_LEASE_TIME)


def test_writers_that_began_before_the_gate_closed_are_waited_for(
    platform: Platform, databases: Databases, acme: Provisioned
) -> None:
    own = acme.organization.id
    platform.delete(own)
    platform.close(own)

    def wait(now: datetime) -> None:
        await_writers(platform.erasure_stores, own, 1, closed_at=PURGE, writer_wait=QUIET, now=now)

    with pytest.raises(WritersActiveError):
        wait(PURGE + QUIET - timedelta(seconds=1))
    wait(PURGE + QUIET)
    for name in ("roll_up", f"release {own}"):
        with databases.platform.transaction() as conn:
            before = PURGE - timedelta(minutes=1)
            take_lease(conn, name, own, now=before, ends_at=before + ROLL_UP_LEASE_TIME)
        with pytest.raises(WritersActiveError):
            wait(PURGE + QUIET)
        with databases.platform.transaction() as conn:
            since = PURGE + ROLL_UP_LEASE_TIME - timedelta(seconds=59)  # what was held from before has ended by then
            take_lease(conn, name, OPERATOR.id, now=since, ends_at=since + ROLL_UP_LEASE_TIME)
        wait(since)


def test_a_roll_up_that_clickhouse_has_failed_is_waited_for(
    platform: Platform, databases: Databases, acme: Provisioned
) -> None:
    """An INSERT … SELECT may go on although its client saw an error."""
    store(databases, acme.organization.id, range(3), at=BEFORE)
    refuse_inserts(databases, "daily_statistics")
    with pytest.raises(ClickHouseError):
        roll_up(databases.platform, databases.clickhouse, platform.redis, now=BEFORE)
    assert_waited_for(platform, acme)


def test_a_release_that_clickhouse_has_failed_is_waited_for(
    platform: Platform, databases: Databases, acme: Provisioned
) -> None:
    store(databases, acme.organization.id, range(3), at=BEFORE, table="held_events", reason="quota")
    refuse_inserts(databases, "events")
    with pytest.raises(UnavailableError):
        release_all(
            databases.platform, databases.clickhouse, platform.redis, acme.organization.id, OPERATOR, now=BEFORE
        )
    assert_waited_for(platform, acme)


def test_a_release_into_room_that_clickhouse_has_failed_is_waited_for(
    platform: Platform, databases: Databases, acme: Provisioned
) -> None:
    store(databases, acme.organization.id, range(3), at=BEFORE, table="held_events", reason="quota")
    done = roll_up(databases.platform, databases.clickhouse, platform.redis, now=BEFORE)
    refuse_inserts(databases, "events")
    with pytest.raises(ClickHouseError):
        release_into_room(databases.platform, databases.clickhouse, platform.redis, done.held, done.usage, now=BEFORE)
    assert_waited_for(platform, acme)


def test_who_has_ended_or_was_refused_is_not_waited_for(
    platform: Platform, databases: Databases, counters: Redis, acme: Provisioned, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = acme.organization.id
    roll_up(databases.platform, databases.clickhouse, counters, now=BEFORE)
    release_all(databases.platform, databases.clickhouse, counters, own, OPERATOR, now=BEFORE)
    assert leases(databases) == []

    def after_its_deletion(*args: object) -> bool:
        platform.delete(own)
        return is_releasable(*args)  # type: ignore[arg-type]

    is_releasable = release_held._is_releasable
    monkeypatch.setattr(release_held, "_is_releasable", after_its_deletion)
    with pytest.raises(ConflictError):
        release_all(databases.platform, databases.clickhouse, counters, own, OPERATOR, now=BEFORE)
    assert leases(databases) == []
