"""Events that a test inserts into ClickHouse directly, with any time of receipt."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from msgspec import structs

from tenancy.rules.events.event import parse_event
from tenancy.rules.events.frames import EventTable, decode_lines, encode_frames
from tenancy.rules.events.row import BatchContext, EventRow, format_row_time
from tenancy.stores.clickhouse.client import TenantReader
from tenancy.stores.clickhouse.platform.events import COLUMNS, INSERT_SETTINGS
from tests.given import Databases, event


def store(
    databases: Databases,
    organization_id: UUID,
    numbers: Iterable[int],
    *,
    at: datetime,
    happened: datetime | None = None,
    written: datetime | None = None,
    table: EventTable = "events",
    reason: str = "",
    **changes: object,
) -> None:
    """Store events that were received *at* that time.

    *happened* and *written* are the same time, unless given.
    """
    reception = BatchContext(organization_id=organization_id, received_at=at)
    raws = [msgspec.json.encode(event(number, event_timestamp=at.isoformat(), **changes)) for number in numbers]
    stamp = format_row_time(happened or at)
    rows = [structs.replace(parse_event(raw, reception), event_timestamp=stamp, reason=reason) for raw in raws]
    load(databases, rows, written=written or at, table=table)


def store_of_app(
    databases: Databases, organization_id: UUID, app_id: UUID | None, numbers: Iterable[int], *, at: datetime
) -> None:
    """Store events that a key of the app sent *at* that time."""
    reception = BatchContext(organization_id=organization_id, received_at=at, app_id=app_id)
    raws = [msgspec.json.encode(event(number, event_timestamp=at.isoformat())) for number in numbers]
    load(databases, [parse_event(raw, reception) for raw in raws], written=at)


def load(databases: Databases, rows: Sequence[EventRow], *, written: datetime, table: EventTable = "events") -> None:
    """Store *rows* as inserted at the time *written*, which ClickHouse's clock tells otherwise."""
    member = b',"created_at":"' + format_row_time(written, timespec="seconds").encode() + b'"}'
    lines = [line.removesuffix(b"}") + member for frame in encode_frames(rows) for line in decode_lines(frame.text)]
    databases.clickhouse.raw_insert(
        table,
        column_names=[*COLUMNS[table], "created_at"],
        insert_block=b"\n".join(lines),
        fmt="JSONEachRow",
        settings=INSERT_SETTINGS,
    )


def count(databases: Databases, organization_id: UUID, table: str = "events") -> int:
    reader = TenantReader(databases.clickhouse, organization_id)
    statement = {
        "events": "SELECT count() FROM events FINAL WHERE organization_id = {organization_id:UUID}",
        "held_events": "SELECT count() FROM held_events FINAL WHERE organization_id = {organization_id:UUID}",
        "daily_statistics": "SELECT count() FROM daily_statistics WHERE organization_id = {organization_id:UUID}",
    }[table]
    return int(reader.query(statement)[0][0])


INSERT_EVENTS = """
    INSERT INTO events (organization_id, event_id, device_id, event_timestamp, received_at, created_at)
    SELECT {organization_id:UUID}, toString(number), 'device', {at:DateTime('UTC')}, {at:DateTime('UTC')},
           {written:DateTime('UTC')}
    FROM numbers({first:UInt64}, {events:UInt64})
"""
INSERT_HELD_EVENTS = """
    INSERT INTO held_events (organization_id, event_id, device_id, event_timestamp, received_at, created_at, reason)
    SELECT {organization_id:UUID}, toString(number), 'device', {at:DateTime('UTC')}, {at:DateTime('UTC')},
           {written:DateTime('UTC')}, 'quota'
    FROM numbers({first:UInt64}, {events:UInt64})
"""


def put(
    databases: Databases,
    organization_id: UUID,
    numbers: range,
    *,
    at: datetime,
    written: datetime | None = None,
    is_held: bool = False,
) -> None:
    """Insert plain events in one statement, which is fast enough for hundreds of calls.

    They were *written* when they were received, unless given.
    """
    parameters = {
        "organization_id": str(organization_id), "at": at, "written": written or at, "first": numbers.start,
        "events": len(numbers),
    }  # fmt: skip
    databases.clickhouse.command(INSERT_HELD_EVENTS if is_held else INSERT_EVENTS, parameters=parameters)
