"""Held events of all organizations: counted by the roll-up, released when there is room or the operator says so."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from tenancy.admission import HELD_FOR_QUOTA
from tenancy.stores.clickhouse import Client
from tenancy.usage import Held, Period

LIST_HELD: Final = """
    SELECT organization_id, countIf(reason = {reason:String}),
           countIf(reason = {reason:String}
                   AND toDate(received_at) >= {start:Date} AND toDate(received_at) < {end:Date}),
           sum(byteSize(event_id, event_type, event_name, device_id, session_id, platform, properties,
                        user_properties))
    FROM held_events FINAL GROUP BY organization_id
"""
COUNT_HELD_OF_ONE: Final = """
    SELECT reason, count() FROM held_events FINAL WHERE organization_id = {organization_id:UUID}
    GROUP BY reason ORDER BY reason
"""
# Whole requests, oldest first: up to which receipt the events fit into the room.
FIND_LAST_RECEIPT: Final = """
    SELECT count(), max(received_at) FROM (
        SELECT received_at, sum(count()) OVER (ORDER BY received_at) AS events_until
        FROM held_events FINAL
        WHERE organization_id = {organization_id:UUID} AND reason IN {reasons:Array(String)}
        GROUP BY received_at
    ) WHERE events_until <= {room:UInt64}
"""
# They are received now: the bill of the month in which they came may be closed. An event that is released twice is
# one event, received when it was released first. Where the clock was not to be believed, receipt is the event's time.
INSERT_RELEASED: Final = """
    INSERT INTO events (
        organization_id, event_id, event_type, event_name, device_id, session_id, platform, event_timestamp,
        properties, user_properties, revenue, currency, received_at
    )
    SELECT organization_id, event_id, event_type, event_name, device_id, session_id, platform,
           if(reason = {for_quota:String}, event_timestamp, toDateTime64(received_at, 3, 'UTC')),
           properties, user_properties, revenue, currency, {released_at:DateTime64(6, 'UTC')}
    FROM held_events FINAL
    WHERE organization_id = {organization_id:UUID} AND reason IN {reasons:Array(String)}
      AND received_at <= {until:DateTime64(6, 'UTC')}
"""
COUNT_RELEASED: Final = """
    SELECT count() FROM held_events FINAL
    WHERE organization_id = {organization_id:UUID} AND reason IN {reasons:Array(String)}
      AND received_at <= {until:DateTime64(6, 'UTC')}
"""
# Only what is among the events by now: one that is held meanwhile stays.
DELETE_RELEASED: Final = """
    ALTER TABLE held_events DELETE
    WHERE organization_id = {organization_id:UUID} AND reason IN {reasons:Array(String)}
      AND received_at <= {until:DateTime64(6, 'UTC')}
      AND (if(reason = {for_quota:String}, event_timestamp, toDateTime64(received_at, 3, 'UTC')), device_id, event_id)
          IN (SELECT event_timestamp, device_id, event_id FROM events WHERE organization_id = {organization_id:UUID})
"""
MUTATION: Final = {"mutations_sync": 2, "allow_nondeterministic_mutations": 1}
NEVER: Final = 2**63 - 1


def list_held(client: Client, month: Period) -> list[Held]:
    """Return what each organization has among the held events, of *month* apart."""
    parameters = {"reason": HELD_FOR_QUOTA, "start": month.start, "end": month.end}
    return [
        Held(organization_id=organization_id, events=events, events_of_month=of_month, storage_bytes=size)
        for organization_id, events, of_month, size in client.query(LIST_HELD, parameters=parameters).result_rows
    ]


def count_held(client: Client, organization_id: UUID) -> Mapping[str, int]:
    """Return how many events the organization has held, by reason."""
    rows = client.query(COUNT_HELD_OF_ONE, parameters={"organization_id": str(organization_id)}).result_rows
    return {str(reason): int(count) for reason, count in rows}


def release_events(
    client: Client, organization_id: UUID, reasons: list[str], *, room: int | None, now: datetime
) -> int:
    """Make held events of *reasons* the organization's events, as received *now*, and return how many.

    Whole requests, oldest first, as many as fit the *room*; all with None. After a death in between it does the rest.
    """
    values: dict[str, object] = {
        "organization_id": str(organization_id),
        "reasons": reasons,
        "room": NEVER if room is None else room,
        "for_quota": HELD_FOR_QUOTA,
    }
    [(requests, until)] = client.query(FIND_LAST_RECEIPT, parameters=values).result_rows
    if not requests:
        return 0
    values |= {"until": until, "released_at": now}
    [(events,)] = client.query(COUNT_RELEASED, parameters=values).result_rows
    client.command(INSERT_RELEASED, parameters=values)
    client.command(DELETE_RELEASED, parameters=values, settings=MUTATION)
    return int(events)
