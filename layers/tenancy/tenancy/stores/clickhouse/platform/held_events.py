"""Held events of all organizations, as the roll-up and the operator count them."""

from collections.abc import Mapping
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
           countIf(event_timestamp <= {now:DateTime64(3, 'UTC')}),
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


def list_held(client: Client, month: Period, *, recent: datetime, now: datetime) -> list[HeldUsage]:
    """Return the held events of each organization.

    Those held for quota are counted as a whole, for *month*, and by hour from *recent* on.
    """
    parameters = {
        "quota": HELD_FOR_QUOTA,
        "released": RELEASED_REASON,
        "start": month.start,
        "end": month.end,
        "recent": recent,
        "now": now,
    }
    return [
        HeldUsage(
            organization_id=organization_id,
            events=events,
            events_of_month=of_month,
            past_events=past,
            storage_bytes=size,
            recent_hours={hour.replace(tzinfo=UTC): count for hour, count in hours.items()},
        )
        for organization_id, events, of_month, past, size, hours in client.query(
            LIST_HELD, parameters=parameters
        ).result_rows
    ]


def count_held(client: Client, organization_id: UUID, *, first_kept: date) -> Mapping[str, int]:
    """Return the organization's held events from the day *first_kept* on, by reason."""
    parameters = {"organization_id": str(organization_id), "released": RELEASED_REASON, "first_kept": first_kept}
    rows = client.query(COUNT_HELD_OF_ONE, parameters=parameters).result_rows
    return {str(reason): int(count) for reason, count in rows}
