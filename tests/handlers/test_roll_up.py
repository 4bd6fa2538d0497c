"""The hourly roll-up: it counts once, and says what it did."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import msgspec
import pytest

from tenancy.events.event import parse_event
from tenancy.events.frames import cut_frames
from tenancy.events.row import Reception
from tenancy.stores.platform.events import insert_frames
from tenancy.stores.platform.leases import take_lease
from tenancy.stores.secrets import CLICKHOUSE, PLATFORM_DATABASE
from tenancy.use_cases.provision import Provisioned
from tests.given import Databases, event
from tests.handlers.functions import Function, PutSecret, Start
from tests.handlers.requests import sample

MOMENT = datetime.now(UTC)
NOTHING = {
    "ran": False,
    "organizations": 0,
    "days": 0,
    "events_released": 0,
    "organizations_cleaned": None,
    "audit_entries_cut": 0,
}


@pytest.fixture
def roll_up(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("roll_up")


def store(databases: Databases, who: Provisioned, *numbers: int) -> None:
    reception = Reception(
        organization_id=who.organization.id, received_at=datetime.now(UTC), retention=timedelta(days=90)
    )
    events = [event(number, event_timestamp=MOMENT.isoformat()) for number in numbers]
    [frame] = cut_frames([parse_event(msgspec.json.encode(one), reception) for one in events])
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
