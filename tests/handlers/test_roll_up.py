"""The scheduled roll-up: its result, its metrics, and the steps that follow it."""

import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from tenancy.errors import UnavailableError
from tenancy.rules.durations import ROLL_UP_LEASE_TIME
from tenancy.rules.usage import MonthSoFar
from tenancy.stores.aws.secrets import CLICKHOUSE, PLATFORM_DATABASE, REDIS
from tenancy.stores.clickhouse.client import DatabaseError
from tenancy.stores.clickhouse.platform.tombstones import list_all_tombstones
from tenancy.stores.postgres.platform.leases import take_lease
from tenancy.stores.redis.client import Redis
from tenancy.stores.redis.counters import seed_usage
from tenancy.use_cases.deletion.delete import delete_organization
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tests.given import OPERATOR, Databases, know, tenant_of
from tests.handlers.clock import StoppedClock
from tests.handlers.functions import Function, PutSecret, Start, superuser
from tests.handlers.requests import sample
from tests.use_cases.storing import store

HOURLY = sample("roll_up", "hourly")
NOTHING = {
    "ran": False,
    "organizations": 0,
    "days": 0,
    "events_released": 0,
    "tombstones_restored": 0,
    "organizations_cleaned": None,
    "audit_entries_pruned": 0,
    "last_uses_persisted": 0,
    "rotations_noticed": 0,
    "domains_checked": 0,
    "domains_missing": 0,
    "domains_withdrawn": 0,
    "custom_domains_checked": 0,
    "custom_domains_missing": 0,
    "custom_domains_withdrawn": 0,
}


@pytest.fixture
def noon(clock: StoppedClock) -> datetime:
    """Set the stopped clock a minute after today's noon, so that no test crosses midnight."""
    noon = clock.moment.replace(hour=12, minute=0, second=0, microsecond=0)
    clock.moment = noon + timedelta(minutes=1)
    return noon


@pytest.fixture
def roll_up(start: Start, secrets: None, clock: StoppedClock, noon: datetime) -> Function:  # noqa: ARG001
    function = start("roll_up")
    clock.stop(function)
    return function


def list_counted(databases: Databases) -> list[tuple[object, int, int]]:
    with databases.platform.transaction() as conn:
        return conn.execute(
            "SELECT organization_id, events_count, unique_users_count FROM tenant_usage ORDER BY events_count"
        ).fetchall()


def metric_lines(capsys: pytest.CaptureFixture[str], name: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines() if name in line]


def test_scheduled_run_counts_the_stored_events(
    roll_up: Function, databases: Databases, acme: Provisioned, globex: Provisioned, noon: datetime
) -> None:
    store(databases, acme.organization.id, [1, 2], at=noon)
    store(databases, globex.organization.id, [1, 2, 3], at=noon)

    for cleaned in (2, None):
        assert roll_up(HOURLY) == {
            "ran": True,
            "organizations": 2,
            "days": 2,
            "events_released": 0,
            "tombstones_restored": 0,
            "organizations_cleaned": cleaned,
            "audit_entries_pruned": 0,
            "last_uses_persisted": 0,
            "rotations_noticed": 0,
            "domains_checked": 0,
            "domains_missing": 0,
            "domains_withdrawn": 0,
            "custom_domains_checked": 0,
            "custom_domains_missing": 0,
            "custom_domains_withdrawn": 0,
        }
        assert list_counted(databases) == [(acme.organization.id, 2, 2), (globex.organization.id, 3, 3)]

    store(databases, acme.organization.id, [1, 2, 3, 4], at=noon + timedelta(minutes=1), happened=noon)
    roll_up(HOURLY)

    assert list_counted(databases) == [(globex.organization.id, 3, 3), (acme.organization.id, 4, 4)]


def test_run_without_events_counts_nothing(roll_up: Function, databases: Databases) -> None:
    assert roll_up(HOURLY) == {**NOTHING, "ran": True, "organizations_cleaned": 0}
    assert list_counted(databases) == []


def test_concurrent_run_does_nothing(
    roll_up: Function, databases: Databases, acme: Provisioned, noon: datetime
) -> None:
    store(databases, acme.organization.id, [1], at=noon)
    with databases.platform.transaction() as conn:
        assert take_lease(conn, "roll_up", uuid4(), now=noon, ends_at=noon + ROLL_UP_LEASE_TIME)

    assert roll_up(HOURLY) == NOTHING
    assert list_counted(databases) == []


@pytest.mark.usefixtures("secrets")
def test_run_fails_if_a_store_is_unreachable(
    start: Start, put_secret: PutSecret, databases: Databases, acme: Provisioned, nowhere: str
) -> None:
    store(databases, acme.organization.id, [1], at=datetime.now(UTC))

    put_secret(CLICKHOUSE, f"http://{nowhere}/default")
    with pytest.raises(UnavailableError):
        start("roll_up")(HOURLY)
    assert list_counted(databases) == []

    put_secret(CLICKHOUSE, databases.servers.clickhouse_url(databases.name))
    assert start("roll_up")(HOURLY)["organizations"] == 1

    put_secret(PLATFORM_DATABASE, f"postgresql://nobody:nothing@{nowhere}/tenancy")
    with pytest.raises(UnavailableError):
        start("roll_up")(HOURLY)


def test_counter_drift_is_a_metric_and_held_events_are_released(
    roll_up: Function,
    databases: Databases,
    counters: Redis,
    acme: Provisioned,
    noon: datetime,
    capsys: pytest.CaptureFixture[str],
) -> None:
    organization_id = acme.organization.id
    counted = MonthSoFar(events=70, held=0, storage_bytes=0)
    seed_usage(counters, organization_id, counted, now=noon)
    know(counters, tenant_of(acme))
    store(databases, organization_id, range(5), at=noon - timedelta(hours=4), table="held_events", reason="quota")
    store(databases, organization_id, [1, 2], at=noon)

    assert roll_up(HOURLY)["events_released"] == 5
    drifts = [(line["CounterDrift"], line["organization_id"]) for line in metric_lines(capsys, "CounterDrift")]
    assert drifts == [([68.0], str(organization_id))]

    assert roll_up(HOURLY)["events_released"] == 0
    assert list_counted(databases) == [(organization_id, 7, 5)]


def test_retention_is_applied_even_if_the_release_fails(
    roll_up: Function, databases: Databases, acme: Provisioned, noon: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(databases, acme.organization.id, range(5), at=noon, table="held_events", reason="quota")

    with monkeypatch.context() as patch:
        patch.setattr("tenancy.stores.clickhouse.platform.released_events.DELETE_RELEASED", "SELECT no_such_function()")
        with pytest.RaisesGroup(pytest.RaisesExc(DatabaseError, match="no_such_function")):
            roll_up(HOURLY)

    assert roll_up(HOURLY)["organizations_cleaned"] is None  # the failed run has done it


def test_restored_clickhouse_gets_its_tombstones_back(
    roll_up: Function,
    databases: Databases,
    targets: OutboxTargets,
    acme: Provisioned,
    globex: Provisioned,
    noon: datetime,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Only the erased organization has a tombstone, and not the deleted one."""
    own, grace = acme.organization.id, timedelta(0)
    for provisioned in (acme, globex):
        organization_id = provisioned.organization.id
        delete_organization(databases.platform, targets, organization_id, "end", OPERATOR, grace=grace, now=noon)
    with superuser(databases) as conn:
        conn.execute("UPDATE organizations SET status = 'erased', gate_closed_at = now() WHERE id = %s", (own,))

    results = [roll_up(HOURLY) for _ in range(2)]

    assert [result["tombstones_restored"] for result in results] == [1, 0]
    assert list_all_tombstones(databases.clickhouse) == {own}
    assert [line["organization_id"] for line in metric_lines(capsys, "GatesClosedAgain")] == [str(own)]


@pytest.mark.usefixtures("secrets", "acme")
def test_unreachable_redis_is_a_metric(
    start: Start, put_secret: PutSecret, nowhere: str, capsys: pytest.CaptureFixture[str]
) -> None:
    put_secret(REDIS, f"redis://{nowhere}/0")

    assert start("roll_up")(HOURLY)["ran"]
    assert start("sweep")(sample("sweep", "every_minute"))["request_counts_persisted"] is None
    printed = capsys.readouterr().out
    assert "CountersNotSettled" in printed
    assert "RequestsNotKept" in printed
