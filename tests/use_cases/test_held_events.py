"""Held events are kept apart and released once, when there is room or by the operator."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from tenancy.errors import ConflictError, NotFoundError
from tenancy.rules.admission import HELD_FOR_QUOTA
from tenancy.rules.entitlements import Overrides
from tenancy.rules.events.row import RELEASED_REASON
from tenancy.rules.events.segment import HELD_FOR_CLOCK, LAST_MOMENT
from tenancy.rules.tiers import QUOTAS, Tier
from tenancy.rules.usage import HeldUsage
from tenancy.stores.postgres.platform.leases import take_lease
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.held_events.release_held import (
    Release,
    count_held_by_reason,
    release_all,
    release_into_room,
)
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.schedule.roll_up import roll_up
from tests.given import OPERATOR, Databases, tenant_of
from tests.handlers.functions import superuser
from tests.use_cases.admitting import NOW, Admit
from tests.use_cases.storing import count, store
from tests.use_cases.test_roll_up import counter

# These times are in the past, because ClickHouse sets the time of an insert by its own clock.
OCTOBER = datetime(2026, 10, 24, 12, 0, tzinfo=UTC)
NOVEMBER = datetime(2026, 11, 1, 6, 0, tzinfo=UTC)
MOVE = "INSERT INTO moved_organizations (organization_id, state, other, move_id) VALUES (%s, 'moved', 'second', %s)"
LONG_AGO = datetime(2020, 1, 2, tzinfo=UTC)
type RunRelease = Callable[[datetime], int]


@pytest.fixture
def release(databases: Databases, counters: Redis) -> RunRelease:
    """Return a function that runs the usage part of the hourly function."""

    def run(now: datetime) -> int:
        done = roll_up(databases.platform, databases.clickhouse, counters, now=now)
        return release_into_room(databases.platform, databases.clickhouse, counters, done.held, done.usage, now=now)

    return run


def hold(databases: Databases, provisioned: Provisioned, count: int, *, at: datetime = NOW, start: int = 0) -> None:
    organization_id = provisioned.organization.id
    numbers = range(start, start + count)
    store(databases, organization_id, numbers, at=at, table="held_events", reason=HELD_FOR_QUOTA)


def use_up(databases: Databases, provisioned: Provisioned, left: int = 0, *, at: datetime = NOW) -> None:
    """Store usage of the month so that *left* events remain, as an earlier roll-up does."""
    spent = QUOTAS[provisioned.organization.tier].events_per_month - left
    statement = "INSERT INTO tenant_usage (organization_id, metric_date, events_count) VALUES (%s, %s, %s)"
    with superuser(databases) as conn:
        conn.execute(statement, (provisioned.organization.id, at.date().replace(day=2), spent))


def test_no_event_is_released_without_room(release: RunRelease, databases: Databases, acme: Provisioned) -> None:
    hold(databases, acme, 5)

    use_up(databases, acme)

    assert release(NOW) == 0
    assert (count(databases, acme.organization.id), count(databases, acme.organization.id, "held_events")) == (0, 5)


@pytest.mark.parametrize("is_late", [False, True])
def test_release_leaves_out_an_organization_that_was_moved(
    databases: Databases, counters: Redis, acme: Provisioned, globex: Provisioned, *, is_late: bool
) -> None:
    """A late move ends after the retentions were read."""
    for each in (acme, globex):
        hold(databases, each, 5, at=OCTOBER)
    done = roll_up(databases.platform, databases.clickhouse, counters, now=NOVEMBER)

    def moved_late() -> Iterator[HeldUsage]:
        move()
        yield from sorted(done.held, key=lambda each: each.organization_id != acme.organization.id)

    def move() -> None:
        with superuser(databases) as conn:
            conn.execute(MOVE, (acme.organization.id, uuid4()))

    if not is_late:
        move()
    held = moved_late() if is_late else done.held
    released = release_into_room(databases.platform, databases.clickhouse, counters, held, done.usage, now=NOVEMBER)

    assert (released, count(databases, acme.organization.id)) == (5, 0)


def test_next_month_releases_and_bills_held_events_once(
    release: RunRelease, databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    hold(databases, acme, 5, at=OCTOBER)

    use_up(databases, acme, at=OCTOBER)

    assert release(OCTOBER) == 0
    assert [release(NOVEMBER), release(NOVEMBER + timedelta(hours=1))] == [5, 0]
    assert (count(databases, acme.organization.id), count(databases, acme.organization.id, "held_events")) == (5, 0)
    assert count(databases, globex.organization.id) == 0

    with databases.functions.tenant_transaction(acme.organization.id) as conn:
        statement = "SELECT metric_date::text, events_count FROM tenant_usage WHERE events_count < 100 ORDER BY 1"
        assert conn.execute(statement).fetchall() == [("2026-11-01", 5)]


def test_upgrade_releases_held_events(release: RunRelease, databases: Databases, acme: Provisioned) -> None:
    hold(databases, acme, 5)

    use_up(databases, acme)

    assert release(NOW) == 0

    with databases.platform.transaction() as conn:
        conn.execute("UPDATE organizations SET tier = 'growth'")

    assert release(NOW + timedelta(hours=1)) == 5
    assert count(databases, acme.organization.id) == 5


@pytest.mark.parametrize(
    ("overrides", "released"),
    [
        ({"events_per_month": "unlimited"}, 5),
        ({"events_per_month": 1_000_003}, 3),
        ({"events_per_month": 10**12, "storage_gb": 0}, 0),
    ],
)
def test_release_goes_by_the_overrides(
    release: RunRelease, databases: Databases, acme: Provisioned, overrides: Overrides, released: int
) -> None:
    for number in range(5):
        hold(databases, acme, 1, at=NOW + timedelta(minutes=number), start=number)
    use_up(databases, acme)

    with databases.platform.transaction() as conn:
        conn.execute("UPDATE organizations SET overrides = %s", (json.dumps(overrides),))

    assert release(NOW + timedelta(hours=1)) == released


def test_oldest_requests_are_released_first_and_whole(
    release: RunRelease, databases: Databases, acme: Provisioned
) -> None:
    for number in range(3):
        hold(databases, acme, 4, at=NOW + timedelta(minutes=number), start=10 * number)

    use_up(databases, acme, left=9)

    assert release(NOW + timedelta(minutes=5)) == 8
    assert count(databases, acme.organization.id, "held_events") == 4


def test_event_accepted_meanwhile_is_not_counted_twice(
    release: RunRelease, databases: Databases, acme: Provisioned
) -> None:
    hold(databases, acme, 5)
    store(databases, acme.organization.id, range(2), at=NOW + timedelta(minutes=1), happened=NOW)

    released = release(NOW + timedelta(minutes=2))

    assert released == 3
    assert (count(databases, acme.organization.id), count(databases, acme.organization.id, "held_events")) == (5, 0)


def test_crashed_release_counts_each_event_once(
    release: RunRelease, databases: Databases, acme: Provisioned, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold(databases, acme, 5)

    with monkeypatch.context() as patch:
        patch.setattr("tenancy.stores.clickhouse.platform.released_events.DELETE_RELEASED", "SELECT no_such_function()")
        with pytest.raises(Exception, match="no_such_function"):
            release(NOW)

    assert count(databases, acme.organization.id) == 5

    release(NOW + timedelta(minutes=1))
    assert (count(databases, acme.organization.id), count(databases, acme.organization.id, "held_events")) == (5, 0)

    roll_day = databases.clickhouse.query("SELECT count(), uniqExact(received_at) FROM events FINAL").result_rows
    assert roll_day == [(5, 1)]


def test_event_held_during_a_release_stays_held(
    databases: Databases, counters: Redis, acme: Provisioned, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event arrives after the copy of the others.

    Its time of receipt is not later than theirs.
    """
    hold(databases, acme, 5)
    command = databases.clickhouse.command

    def hold_before_delete(statement: str, *args: object, **options: object) -> object:
        if "DELETE" in statement:
            hold(databases, acme, 2, start=100)
        return command(statement, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(databases.clickhouse, "command", hold_before_delete)

    released = release_all(databases.platform, databases.clickhouse, counters, acme.organization.id, OPERATOR, now=NOW)

    assert released.released == 5
    assert (count(databases, acme.organization.id), count(databases, acme.organization.id, "held_events")) == (5, 2)


@pytest.mark.parametrize("happened", [LONG_AGO, LAST_MOMENT], ids=str)
def test_operator_releases_all_held_events_of_an_organization(
    admit: Admit, databases: Databases, counters: Redis, acme: Provisioned, globex: Provisioned, happened: datetime
) -> None:
    admit(tenant_of(acme))
    hold(databases, acme, 5)
    hold(databases, globex, 3)

    store(databases, acme.organization.id, [7], at=NOW, happened=happened, table="held_events", reason=HELD_FOR_CLOCK)

    client, organization_id = databases.clickhouse, acme.organization.id
    assert count_held_by_reason(databases.platform, client, organization_id, now=NOW) == {"clock": 1, "quota": 5}
    assert [
        release_all(databases.platform, client, counters, organization_id, OPERATOR, now=NOW) for _ in range(2)
    ] == [Release(released=6, waiting=0), Release(released=0, waiting=0)]
    assert count_held_by_reason(databases.platform, client, organization_id, now=NOW) == {}
    assert count(databases, organization_id) == 6
    assert count(databases, globex.organization.id, "held_events") == 3
    assert databases.clickhouse.query("SELECT min(event_timestamp) > '2026-01-01' FROM events").result_rows == [(1,)]
    assert counter(databases, organization_id) == 6

    with databases.functions.tenant_transaction(organization_id) as conn:
        rows = conn.execute("SELECT target FROM audit_log WHERE action = 'held_events.released'").fetchall()
    assert rows == [("all held events",)] * 2


@pytest.mark.parametrize("happened", [LONG_AGO, NOW - timedelta(days=1)], ids=str)
def test_copy_of_an_event_with_an_old_mark_is_not_released(
    databases: Databases, counters: Redis, acme: Provisioned, happened: datetime
) -> None:
    """Marks of 0.2.0 have the version of their row. So a copy that was received earlier replaces such a mark."""
    organization_id = acme.organization.id
    store(databases, organization_id, [7], at=NOW, happened=happened, table="held_events", reason=RELEASED_REASON)
    store(databases, organization_id, [7], at=NOW)
    earlier = NOW - timedelta(hours=1)
    store(databases, organization_id, [7], at=earlier, happened=happened, table="held_events", reason=HELD_FOR_CLOCK)

    done = release_all(databases.platform, databases.clickhouse, counters, organization_id, OPERATOR, now=NOW)

    assert done == Release(released=0, waiting=0)
    assert (count(databases, organization_id), count(databases, organization_id, "held_events")) == (1, 1)


def test_second_concurrent_release_is_refused(databases: Databases, counters: Redis, acme: Provisioned) -> None:
    hold(databases, acme, 5)

    with databases.platform.transaction() as conn:
        name = f"release {acme.organization.id}"
        assert take_lease(conn, name, acme.app_id, now=NOW, ends_at=NOW + timedelta(minutes=1))

    with pytest.raises(ConflictError):
        release_all(databases.platform, databases.clickhouse, counters, acme.organization.id, OPERATOR, now=NOW)
    assert count(databases, acme.organization.id, "held_events") == 5


def test_held_events_of_unknown_organization_are_not_found(
    databases: Databases, counters: Redis, acme: Provisioned
) -> None:
    with pytest.raises(NotFoundError):
        count_held_by_reason(databases.platform, databases.clickhouse, acme.app_id, now=NOW)

    with pytest.raises(NotFoundError):
        release_all(databases.platform, databases.clickhouse, counters, acme.app_id, OPERATOR, now=NOW)


def test_held_events_count_only_for_the_grace_band(
    admit: Admit, databases: Databases, counters: Redis, acme: Provisioned
) -> None:
    admit(tenant_of(acme))
    hold(databases, acme, 5)

    done = roll_up(databases.platform, databases.clickhouse, counters, now=NOW)

    assert [(each.organization_id, each.events_of_month) for each in done.held] == [(acme.organization.id, 5)]
    assert count(databases, acme.organization.id, "daily_statistics") == 0
    assert counter(databases, acme.organization.id, "held") == 5
    assert counter(databases, acme.organization.id) == 0
    assert Tier.STARTER is acme.organization.tier
