"""The hourly roll-up: it counts once, and says what it did."""

import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import msgspec
import pytest

from tenancy.rules.events.event import parse_event
from tenancy.rules.events.frames import encode_frames
from tenancy.rules.events.row import BatchContext
from tenancy.stores.aws.secrets import CLICKHOUSE, PLATFORM_DATABASE, REDIS
from tenancy.stores.clickhouse.platform.events import insert_frames
from tenancy.stores.clickhouse.platform.tombstones import list_all_tombstones
from tenancy.stores.postgres.platform.leases import take_lease
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.deletion.delete import delete_organization
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tests.given import OPERATOR, Databases, event, know, tenant_of
from tests.handlers.functions import Function, PutSecret, Start, superuser
from tests.handlers.requests import sample
from tests.use_cases.storing import store as keep

MOMENT = datetime.now(UTC)
NOTHING = {
    "ran": False,
    "organizations": 0,
    "days": 0,
    "events_released": 0,
    "gates_closed_again": 0,
    "organizations_cleaned": None,
    "audit_entries_cut": 0,
}


@pytest.fixture
def roll_up(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("roll_up")


def store(databases: Databases, who: Provisioned, *numbers: int) -> None:
    reception = BatchContext(
        organization_id=who.organization.id, received_at=datetime.now(UTC), retention=timedelta(days=90)
    )
    events = [event(number, event_timestamp=MOMENT.isoformat()) for number in numbers]
    [frame] = encode_frames([parse_event(msgspec.json.encode(one), reception) for one in events])
    insert_frames(databases.clickhouse, "events", [frame.bytes], token=frame.text)


def counted(databases: Databases) -> list[tuple[object, int, int]]:
    with databases.platform.transaction() as conn:
        return conn.execute(
            "SELECT organization_id, events_count, unique_users_count FROM tenant_usage ORDER BY events_count"
        ).fetchall()


def test_the_schedules_event_counts_what_was_written(
    roll_up: Function, databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    store(databases, acme, 1, 2)
    store(databases, globex, 1, 2, 3)
    for cleaned in (2, None):
        assert roll_up(sample("roll_up", "hourly")) == {
            "ran": True,
            "organizations": 2,
            "days": 2,
            "events_released": 0,
            "gates_closed_again": 0,
            "organizations_cleaned": cleaned,
            "audit_entries_cut": 0,
        }
        assert counted(databases) == [(acme.organization.id, 2, 2), (globex.organization.id, 3, 3)]
    store(databases, acme, 1, 2, 3, 4)
    roll_up(sample("roll_up", "hourly"))
    assert counted(databases) == [(globex.organization.id, 3, 3), (acme.organization.id, 4, 4)]


def test_without_events_nothing_is_counted(roll_up: Function, databases: Databases) -> None:
    assert roll_up(sample("roll_up", "hourly")) == {**NOTHING, "ran": True, "organizations_cleaned": 0}
    assert counted(databases) == []


def test_two_at_once_are_one(roll_up: Function, databases: Databases, acme: Provisioned) -> None:
    store(databases, acme, 1)
    now = datetime.now(UTC)
    with databases.platform.transaction() as conn:
        assert take_lease(conn, "roll_up", uuid4(), now=now, ends_at=now + timedelta(minutes=15))
    assert roll_up(sample("roll_up", "hourly")) == NOTHING
    assert counted(databases) == []


@pytest.mark.usefixtures("secrets")
def test_a_store_that_is_away_fails_the_run_so_that_the_alarm_and_the_next_one_know(
    start: Start, put_secret: PutSecret, databases: Databases, acme: Provisioned, nowhere: str
) -> None:
    store(databases, acme, 1)
    put_secret(CLICKHOUSE, f"http://{nowhere}/default")
    with pytest.raises(Exception, match="ClickHouse"):
        start("roll_up")(sample("roll_up", "hourly"))
    assert counted(databases) == []
    put_secret(CLICKHOUSE, databases.servers.clickhouse_url(databases.name))
    assert start("roll_up")(sample("roll_up", "hourly"))["organizations"] == 1
    put_secret(PLATFORM_DATABASE, f"postgresql://nobody:nothing@{nowhere}/tenancy")
    with pytest.raises(Exception, match="database"):
        start("roll_up")(sample("roll_up", "hourly"))


def test_what_did_not_agree_is_a_metric_and_held_events_are_released_into_the_room(
    roll_up: Function, databases: Databases, counters: Redis, acme: Provisioned, capsys: pytest.CaptureFixture[str]
) -> None:
    long_ago = MOMENT - timedelta(hours=4)
    know(counters, tenant_of(acme), events=70)
    keep(databases, acme.organization.id, range(5), at=long_ago, table="held_events", reason="quota")
    store(databases, acme, 1, 2)
    assert roll_up(sample("roll_up", "hourly"))["events_released"] == 5
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "CounterDrift" in line]
    assert [(line["CounterDrift"], line["organization_id"]) for line in lines] == [([68.0], str(acme.organization.id))]
    assert roll_up(sample("roll_up", "hourly"))["events_released"] == 0
    assert counted(databases) == [(acme.organization.id, 7, 5)]


def test_what_follows_is_done_whatever_becomes_of_the_rest(
    roll_up: Function, databases: Databases, acme: Provisioned, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(databases, acme.organization.id, range(5), at=MOMENT, table="held_events", reason="quota")
    with monkeypatch.context() as patch:
        patch.setattr("tenancy.stores.clickhouse.platform.held_events.DELETE_RELEASED", "SELECT no_such_function()")
        with pytest.raises(Exception, match="no_such_function"):
            roll_up(sample("roll_up", "hourly"))
    assert roll_up(sample("roll_up", "hourly"))["organizations_cleaned"] is None  # because it was done


def test_a_restored_clickhouse_gets_its_tombstones_back(
    roll_up: Function,
    databases: Databases,
    targets: OutboxTargets,
    acme: Provisioned,
    globex: Provisioned,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Only of who is being erased, or was; load then drops what is still on its way."""
    own, grace = acme.organization.id, timedelta(0)
    for who in (acme, globex):
        organization_id = who.organization.id
        delete_organization(databases.platform, targets, organization_id, "end", OPERATOR, grace=grace, now=MOMENT)
    with superuser(databases) as conn:
        conn.execute("UPDATE organizations SET status = 'erased', gate_closed_at = now() WHERE id = %s", (own,))
    assert [roll_up(sample("roll_up", "hourly"))["gates_closed_again"] for _ in range(2)] == [1, 0]
    assert list_all_tombstones(databases.clickhouse) == {own}
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "GatesClosedAgain" in line]
    assert [line["organization_id"] for line in lines] == [str(own)]


@pytest.mark.usefixtures("secrets")
def test_redis_that_is_away_is_a_metric(
    start: Start, put_secret: PutSecret, acme: Provisioned, nowhere: str, capsys: pytest.CaptureFixture[str]
) -> None:
    put_secret(REDIS, f"redis://{nowhere}/0")
    assert start("roll_up")(sample("roll_up", "hourly"))["ran"]
    assert start("sweep")(sample("sweep", "every_minute"))["requests_kept"] is None
    printed = capsys.readouterr().out
    assert "CountersNotSettled" in printed
    assert "RequestsNotKept" in printed
    assert acme.organization.id
