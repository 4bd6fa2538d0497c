"""Two shards of ClickHouse answer as one server does: each query, insert and deletion of the stores runs on both.

The shards are the embedded engine itself (scripts/clickhouse_shards/engine.py).
"""

import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from tenancy.rules.erasures import DataSubject, SubjectKind, WrittenPeriod
from tenancy.rules.statistics import DIMENSIONS, StatisticsQuery
from tenancy.rules.stored_events import (
    END_OF_EVENT_TIMES,
    MAX_SECOND,
    EventFilter,
    EventKey,
    ReceivedPosition,
    StoredEvent,
)
from tenancy.rules.traced_events import TracedId
from tenancy.rules.unix_time import milliseconds_of
from tenancy.rules.usage import Period
from tenancy.stores.clickhouse import events, exported_events, received_events, statistics, stored_events, traced_events
from tenancy.stores.clickhouse.client import Client, TenantReader
from tenancy.stores.clickhouse.platform import events as all_events
from tenancy.stores.clickhouse.platform import (
    held_events,
    organization_rows,
    released_events,
    retention,
    subjects,
    tombstones,
)
from tenancy.stores.clickhouse.platform import statistics as all_statistics
from tests.stores.sharded import ACME, GLOBEX, ORGANIZATIONS, Servers, engine, filled, pair
from tests.stores.test_events import LONG_AGO

__all__ = ["engine", "filled", "pair"]

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
NEVER = datetime(2100, 1, 1, tzinfo=UTC)
DAY = date(2026, 11, 20)
FIRST_DAY = date(2026, 1, 1)
NOVEMBER = Period(start=date(2026, 11, 1), end=date(2026, 12, 1))
LAST_KEY = EventKey(END_OF_EVENT_TIMES, "", "")
PHONE = DataSubject(
    kind=SubjectKind.DEVICE_ID, salt=b"\0" * 16, digest=hashlib.sha256(b"\0".hex().encode() * 16 + b"phone").digest()
)
BY_ALL = StatisticsQuery(period=NOVEMBER, group_by=DIMENSIONS)


def keys_of(found: Sequence[StoredEvent]) -> list[EventKey]:
    return [event.key for event in found]


def reader(client: Client) -> TenantReader:
    return TenantReader(client, ACME, first_kept=FIRST_DAY)


def due(organization_id: UUID = ACME) -> released_events.DueEvents:
    return released_events.DueEvents(organization_id=organization_id, first_kept=FIRST_DAY, now=NOW)


def with_statistics(client: Client) -> Client:
    all_statistics.insert_daily_statistics(client, since=LONG_AGO, run=NOW)
    return client


def window() -> received_events.Window:
    second = int(datetime.now(UTC).timestamp())
    times = milliseconds_of(NOW - timedelta(days=10)), milliseconds_of(NOW)
    return received_events.Window(
        start_second=second - 3600, end_second=second + 3600, start_time=times[0], last_time=times[1]
    )


KEYS = [EventKey(milliseconds_of(datetime(2026, 11, 20, 10, tzinfo=UTC)), "phone", "0")]
READS: dict[str, Callable[[Client], object]] = {
    "list_touched": lambda c: sorted(all_events.list_touched(c, since=LONG_AGO), key=repr),
    "list_touched_days": lambda c: sorted(all_events.list_touched_days(c, since=LONG_AGO, recent=LONG_AGO), key=repr),
    "find_oldest_arrival": lambda c: all_events.find_oldest_arrival(c, since=LONG_AGO, now=NEVER),
    "list_held": lambda c: sorted(held_events.list_held(c, NOVEMBER, recent=LONG_AGO, now=NOW), key=repr),
    "count_held": lambda c: held_events.count_held(c, ACME, first_kept=FIRST_DAY),
    "count_event_rows": lambda c: organization_rows.count_event_rows(c, ACME),
    "list_organizations_with_rows": organization_rows.list_organizations_with_rows,
    "statistics": lambda c: statistics.list_statistics(reader(with_statistics(c)), BY_ALL, since=NEVER),
    "unsettled statistics": lambda c: statistics.list_statistics(reader(c), BY_ALL, since=LONG_AGO),
    "zone_statistics": lambda c: statistics.list_zone_statistics(reader(c), BY_ALL),
    "stored_bytes": lambda c: all_statistics.list_stored_bytes(with_statistics(c)),
    "stored_bytes_of": lambda c: all_statistics.list_stored_bytes(with_statistics(c), [ACME, GLOBEX]),
    "drifts": lambda c: all_statistics.list_statistics_drifts(c, since=LONG_AGO, run=NEVER),
    "find_subject": lambda c: subjects.find_subject(
        c, ACME, PHONE, WrittenPeriod(), through=NEVER, first_open=date(2027, 1, 1)
    ),
    "find_first_unsettled_day": lambda c: events.find_first_unsettled_day(reader(c), LONG_AGO),
    "list_daily_events": lambda c: events.list_daily_events(reader(c), ACME, FIRST_DAY),
    "count_held_events": lambda c: events.count_held_events(reader(c)),
    "sum_stored_bytes": lambda c: events.sum_stored_bytes(reader(with_statistics(c)), LONG_AGO),
    "list_newest_events": lambda c: keys_of(
        stored_events.list_newest_events(reader(c), EventFilter(), LAST_KEY, row_limit=100).events
    ),
    "search_newest_keys": lambda c: stored_events.search_newest_keys(
        reader(c), EventFilter(device_id="phone"), LAST_KEY, start_time=0, row_limit=100, key_limit=10
    ),
    "list_events_by_keys": lambda c: list(stored_events.list_events_by_keys(reader(c), KEYS)),
    "list_received_rows": lambda c: {  # without the second of their storage, which differs
        each.position[1:]
        for each in received_events.list_received_rows(
            reader(c), EventFilter(), window(), ReceivedPosition.start_of(0), row_limit=100
        )
    },
    "trace_stored_events": lambda c: traced_events.trace_stored_events(reader(c), [TracedId(event_id="1")], since=0),
    "trace_held_events": lambda c: traced_events.trace_held_events(reader(c), [TracedId(event_id="h1")], since=0),
    "find_last_storage": lambda c: traced_events.find_last_storage(reader(c), start=0, end=MAX_SECOND) is not None,
    "measure_delivery": lambda c: traced_events.measure_delivery(reader(c), LONG_AGO) is not None,
    "find_next_event": lambda c: exported_events.find_next_event(reader(c), "events", 0),
    "exported_events": lambda c: exported_events.list_events(
        reader(c), "events", start=0, end=milliseconds_of(NOW), start_offset=1, limit=3
    ),
    "exported_held_events": lambda c: exported_events.list_events(
        reader(c), "held_events", start=0, end=milliseconds_of(NOW), start_offset=0, limit=30
    ),
    "find_fitting": lambda c: released_events.find_fitting(c, due(), room=1_000),
    "count_copies": lambda c: released_events.count_copies(c, due()),
    "count_waiting": lambda c: released_events.count_waiting(c, due(GLOBEX)),
    "count_marked": lambda c: released_events.count_marked(c, due()),
}


def test_shards_answer_as_one_server(filled: Servers) -> None:
    answers = {name: [read(client) for client in filled] for name, read in READS.items()}

    assert {name: given for name, given in answers.items() if given[0] != given[1]} == {}
    assert {name for name, given in answers.items() if not given[0]} == {"count_copies", "count_marked"}


def release(client: Client) -> None:
    released_events.insert_released(client, due(), released_events.find_fitting(client, due(), room=None))
    released_events.delete_released(client, [ACME])


def mark(client: Client) -> None:
    released_events.insert_marks(client, due())
    released_events.insert_marked(client, due())


def close(client: Client) -> None:
    tombstones.insert_tombstone(client, ACME, closed_at=NOW)
    all_statistics.insert_daily_statistics(client, since=LONG_AGO, run=NOW)


WRITES: dict[str, Callable[[Client], None]] = {
    "erasure": lambda c: organization_rows.delete_event_rows(c, ACME),
    "subject": lambda c: subjects.delete_subject(c, ACME, PHONE, WrittenPeriod(), through=NEVER),
    "retention": lambda c: retention.delete_expired(
        c, ORGANIZATIONS[::2], first_kept=date(2026, 11, 21), first_open=date(2026, 12, 1)
    ),
    "statistics": lambda c: all_statistics.replace_statistics(with_statistics(c), ACME, [DAY], run=NEVER),
    "release": release,
    "marks": mark,
    "tombstone": close,
}
CONTENTS = (
    "SELECT organization_id, event_timestamp, event_id FROM events FINAL ORDER BY ALL",
    "SELECT organization_id, event_timestamp, event_id, reason FROM held_events FINAL ORDER BY ALL",
    "SELECT organization_id, event_date, sum(events), sum(bytes) FROM daily_statistics FINAL GROUP BY ALL ORDER BY ALL",
    "SELECT organization_id FROM tombstones FINAL ORDER BY ALL",
)


@pytest.mark.parametrize("name", WRITES)
def test_shards_change_as_one_server(filled: Servers, name: str) -> None:
    before = contents(filled.single)

    for client in filled:
        WRITES[name](client)

    assert contents(filled.shards) == contents(filled.single)
    assert contents(filled.single) != before or name == "marks"


def contents(client: Client) -> list[object]:
    return [client.query(statement).result_rows for statement in CONTENTS]


def test_tombstones_of_all_shards_are_listed(filled: Servers) -> None:
    for organization_id in ORGANIZATIONS:
        tombstones.insert_tombstone(filled.shards, organization_id, closed_at=NOW)

    assert tombstones.list_all_tombstones(filled.shards) == set(ORGANIZATIONS)
    assert tombstones.list_tombstones(filled.shards, map(str, ORGANIZATIONS[:3])) == set(map(str, ORGANIZATIONS[:3]))
