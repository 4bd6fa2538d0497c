"""Counts and sums of a tenant's events. Each event counts once."""

from datetime import date, datetime
from typing import Final
from uuid import UUID

from tenancy.rules.usage import DailyEvents
from tenancy.stores.clickhouse.client import TenantReader

FIND_FIRST_UNSETTLED_DAY: Final = """
    SELECT count(), min(toDate(received_at)) FROM events
    WHERE organization_id = {organization_id:UUID} AND created_at >= {since:DateTime64(3, 'UTC')}
"""
# Days of receipt from first_day on. The sub-query limits the event days, so that the sort key finds the rows.
LIST_DAILY_EVENTS: Final = """
    SELECT toDate(received_at) AS metric_date, count(), uniqExact(device_id),
           sum(bytes)
    FROM events FINAL
    WHERE organization_id = {organization_id:UUID} AND toDate(received_at) >= {first_day:Date}
      AND toDate(event_timestamp) IN (
          SELECT DISTINCT toDate(event_timestamp) FROM events
          WHERE organization_id = {organization_id:UUID} AND toDate(received_at) >= {first_day:Date}
      )
    GROUP BY metric_date ORDER BY metric_date
"""
COUNT_HELD_EVENTS: Final = """
    SELECT reason, count() FROM held_events FINAL
    WHERE organization_id = {organization_id:UUID} AND reason != 'released' GROUP BY reason ORDER BY reason
"""
# Settled and unsettled days as in LIST_STATISTICS of statistics.py, and the held events.
SUM_STORED_BYTES: Final = """
    WITH unsettled AS (
        SELECT DISTINCT toDate(event_timestamp) FROM events
        WHERE organization_id = {organization_id:UUID} AND created_at >= {since:DateTime64(3, 'UTC')}
    )
    SELECT sum(size) FROM (
        SELECT sum(bytes) AS size FROM daily_statistics FINAL
        WHERE organization_id = {organization_id:UUID} AND event_date NOT IN unsettled
          AND (event_date, run) IN (
              SELECT event_date, max(run) FROM daily_statistics
              WHERE organization_id = {organization_id:UUID} GROUP BY event_date
          )
        UNION ALL
        SELECT sum(bytes) AS size
        FROM events FINAL
        WHERE organization_id = {organization_id:UUID} AND toDate(event_timestamp) IN unsettled
        UNION ALL
        SELECT sum(bytes) AS size
        FROM held_events FINAL
        WHERE organization_id = {organization_id:UUID} AND reason != 'released'
    )
"""


def find_first_unsettled_day(reader: TenantReader, since: datetime) -> date | None:
    """Return the first day of receipt among rows written after *since*, None without any."""
    rows = reader.query(FIND_FIRST_UNSETTLED_DAY, {"since": since})
    return rows[0][1] if rows[0][0] else None


def list_daily_events(reader: TenantReader, organization_id: UUID, first_day: date) -> list[DailyEvents]:
    """Return the days of receipt from *first_day* on that have events, in order."""
    rows = reader.query(LIST_DAILY_EVENTS, {"first_day": first_day})
    return [
        DailyEvents(
            organization_id=organization_id, metric_date=day, events=events, unique_users=users, storage_bytes=size
        )
        for day, events, users, size in rows
    ]


def count_held_events(reader: TenantReader) -> dict[str, int]:
    """Return the number of held events by reason."""
    return {str(reason): int(count) for reason, count in reader.query(COUNT_HELD_EVENTS)}


def sum_stored_bytes(reader: TenantReader, since: datetime) -> int:
    """Return the size of all stored events in bytes. Rows written after *since* are not settled."""
    return int(reader.query(SUM_STORED_BYTES, {"since": since})[0][0])
