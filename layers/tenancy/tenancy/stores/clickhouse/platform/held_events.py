"""Held events of all organizations: counted by the roll-up, released when there is room or the operator says so.

A released event whose clock was not to be believed stays, with another reason: sent again, it is still the same one.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Final
from uuid import UUID

from tenancy.rules.admission import HELD_FOR_QUOTA
from tenancy.rules.events.row import RELEASED_REASON
from tenancy.rules.usage import HeldUsage, Period
from tenancy.stores.clickhouse.client import Client

LIST_HELD: Final = """
    SELECT organization_id, countIf(reason = {quota:String}),
           countIf(reason = {quota:String}
                   AND toDate(received_at) >= {start:Date} AND toDate(received_at) < {end:Date}),
           sum(bytes),
           sumMapIf(map(toStartOfHour(received_at), toUInt64(1)),
                    reason = {quota:String} AND received_at >= {recent:DateTime64(3, 'UTC')})
    FROM (SELECT *, bytes FROM held_events FINAL WHERE reason != {released:String}) AS held
    GROUP BY organization_id
"""
COUNT_HELD_OF_ONE: Final = """
    SELECT reason, count() FROM held_events FINAL
    WHERE organization_id = {organization_id:UUID} AND reason != {released:String}
      AND toDate(received_at) >= {first_kept:Date}
    GROUP BY reason ORDER BY reason
"""
# Whole requests, oldest first: up to which receipt the events fit into the room, and how many they are.
FIND_RELEASABLE: Final = """
    SELECT sum(events), max(received_at) FROM (
        SELECT received_at, count() AS events, sum(count()) OVER (ORDER BY received_at) AS events_until
        FROM held_events FINAL
        WHERE organization_id = {organization_id:UUID} AND reason IN {reasons:Array(String)}
          AND toDate(received_at) >= {first_kept:Date}
        GROUP BY received_at
    ) WHERE events_until <= {room:UInt64}
"""
# They are received now: the bill of the month in which they came may be closed. An event that is released twice is
# one event, received when it was released first. Where the clock was not to be believed, receipt is the event's time.
INSERT_RELEASED: Final = """
    INSERT INTO events (
        organization_id, event_id, event_type, event_name, device_id, session_id, platform, event_timestamp,
        properties, user_properties, revenue, currency, received_at, device_names, user_names
    )
    SELECT organization_id, event_id, event_type, event_name, device_id, session_id, platform,
           if(reason = {quota:String}, event_timestamp, toDateTime64(received_at, 3, 'UTC')),
           properties, user_properties, revenue, currency, {now:DateTime64(6, 'UTC')}, device_names, user_names
    FROM held_events FINAL
    WHERE organization_id = {organization_id:UUID} AND reason IN {reasons:Array(String)}
      AND toDate(received_at) >= {first_kept:Date} AND received_at <= {until:DateTime64(6, 'UTC')}
"""
# Only what is among the events by now: one that is held meanwhile stays. The times that are looked for bound the look.
DELETE_RELEASED: Final = """
    ALTER TABLE held_events DELETE
    WHERE organization_id IN {organizations:Array(UUID)} AND reason = {quota:String}
      AND (organization_id, event_timestamp, device_id, event_id) IN (
          SELECT organization_id, event_timestamp, device_id, event_id FROM events
          WHERE organization_id IN {organizations:Array(UUID)} AND event_timestamp IN (
              SELECT event_timestamp FROM held_events
              WHERE organization_id IN {organizations:Array(UUID)} AND reason = {quota:String}
          )
      )
"""
UPDATE_RELEASED: Final = """
    ALTER TABLE held_events UPDATE reason = {released:String}
    WHERE organization_id = {organization_id:UUID} AND reason NOT IN ({quota:String}, {released:String})
      AND (toDateTime64(received_at, 3, 'UTC'), device_id, event_id) IN (
          SELECT event_timestamp, device_id, event_id FROM events
          WHERE organization_id = {organization_id:UUID} AND event_timestamp IN (
              SELECT toDateTime64(received_at, 3, 'UTC') FROM held_events
              WHERE organization_id = {organization_id:UUID} AND reason NOT IN ({quota:String}, {released:String})
          )
      )
"""
MUTATION: Final = {"mutations_sync": 2, "allow_nondeterministic_mutations": 1}
EVERYTHING: Final = 2**63 - 1


def list_held(client: Client, month: Period, *, recent: datetime) -> list[HeldUsage]:
    """Return what each organization has among the held events, of *month* and of hours from *recent* on apart."""
    parameters = {
        "quota": HELD_FOR_QUOTA, "released": RELEASED_REASON, "start": month.start, "end": month.end, "recent": recent,
    }  # fmt: skip
    return [
        HeldUsage(
            organization_id=organization_id,
            events=events,
            events_of_month=of_month,
            storage_bytes=size,
            recent_hours={hour.replace(tzinfo=UTC): count for hour, count in hours.items()},
        )
        for organization_id, events, of_month, size, hours in client.query(LIST_HELD, parameters=parameters).result_rows
    ]


def count_held(client: Client, organization_id: UUID, *, first_kept: date) -> Mapping[str, int]:
    """Return how many events the organization has held, by reason, of those that retention keeps."""
    parameters = {"organization_id": str(organization_id), "released": RELEASED_REASON, "first_kept": first_kept}
    rows = client.query(COUNT_HELD_OF_ONE, parameters=parameters).result_rows
    return {str(reason): int(count) for reason, count in rows}


def find_releasable(
    client: Client, organization_id: UUID, reasons: Sequence[str], *, room: int | None, first_kept: date
) -> tuple[int, datetime]:
    """Return how many held events of *reasons* fit the *room* (all with None), and up to which receipt."""
    parameters = {
        "organization_id": str(organization_id),
        "reasons": list(reasons),
        "room": EVERYTHING if room is None else room,
        "first_kept": first_kept,
    }
    [(events, until)] = client.query(FIND_RELEASABLE, parameters=parameters).result_rows
    return int(events or 0), until


def insert_released(
    client: Client,
    organization_id: UUID,
    reasons: Sequence[str],
    *,
    first_kept: date,
    until: datetime,
    now: datetime,
) -> None:
    """Make the held events of *reasons* that were received *until* then the organization's, as received *now*."""
    parameters = {
        "organization_id": str(organization_id),
        "reasons": list(reasons),
        "quota": HELD_FOR_QUOTA,
        "first_kept": first_kept,
        "until": until,
        "now": now,
    }
    client.command(INSERT_RELEASED, parameters=parameters)


def delete_released(client: Client, organization_ids: Sequence[UUID]) -> None:
    """Delete the organizations' events held for want of quota that are among their events, in one mutation."""
    parameters = {"organizations": [str(each) for each in organization_ids], "quota": HELD_FOR_QUOTA}
    client.command(DELETE_RELEASED, parameters=parameters, settings=MUTATION)


def mark_released(client: Client, organization_id: UUID) -> None:
    """Mark the organization's other held events that are among its events."""
    parameters = {"organization_id": str(organization_id), "quota": HELD_FOR_QUOTA, "released": RELEASED_REASON}
    client.command(UPDATE_RELEASED, parameters=parameters, settings=MUTATION)
