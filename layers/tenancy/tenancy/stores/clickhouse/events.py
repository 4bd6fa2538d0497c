"""Counts and sums of a tenant's events. Each event counts once."""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from tenancy.rules.statistics import (
    DIMENSIONS,
    NO_APP,
    Statistics,
    StatisticsOrder,
    StatisticsPosition,
    StatisticsQuery,
)
from tenancy.rules.usage import DailyEvents
from tenancy.stores.clickhouse.client import TenantReader

# The columns by which statistics are grouped, beside the organization and the day.
DIMENSION_COLUMNS: Final = "event_type, event_name, platform, currency, app_id"
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
# Settled days come from daily_statistics, from the newest run of each day. Days with rows written since then are
# counted from the events. A dimension that is not requested is empty and does not group. A page begins after the group
# at a position. In the order of the dimensions the rows of earlier groups are left out before they are counted.
LIST_STATISTICS: Final = (
    """
    WITH unsettled AS (
        SELECT DISTINCT toDate(event_timestamp) FROM events
        WHERE organization_id = {organization_id:UUID} AND created_at >= {since:DateTime64(3, 'UTC')}
    )
    SELECT if({by_day:Bool}, toString(event_date), '') AS a_day,
           if({by_event_type:Bool}, toString(event_type), '') AS a_type,
           if({by_event_name:Bool}, event_name, '') AS a_name,
           if({by_platform:Bool}, toString(platform), '') AS a_platform,
           if({by_currency:Bool}, toString(currency), '') AS a_currency,
           if({by_app_id:Bool} AND app_id != {no_app:UUID}, toString(app_id), '') AS an_app,
           sum(events) AS event_count, sumMap(map(toString(currency), revenue)) AS revenues,
           uniqMerge(devices) AS device_count,
           multiIf(
               {order:String} = 'events', toDecimal128(event_count, 6),
               {order:String} = 'revenue', toDecimal128(arrayMax(mapValues(revenues)), 6),
               {order:String} = 'unique_devices', toDecimal128(device_count, 6),
               toDecimal128(0, 6)
           ) AS number
    FROM (
        SELECT event_date, """
    + DIMENSION_COLUMNS
    + """, events, revenue, devices
        FROM daily_statistics FINAL
        WHERE organization_id = {organization_id:UUID}
          AND event_date >= {start:Date} AND event_date < {end:Date} AND event_date NOT IN unsettled
          AND (event_date, run) IN (
              SELECT event_date, max(run) FROM daily_statistics
              WHERE organization_id = {organization_id:UUID} GROUP BY event_date
          )
        UNION ALL
        SELECT toDate(event_timestamp) AS event_date, """
    + DIMENSION_COLUMNS
    + """,
               count() AS events, CAST(sum(revenue) AS Decimal(38, 6)) AS revenue, uniqState(device_id) AS devices
        FROM events FINAL
        WHERE organization_id = {organization_id:UUID}
          AND toDate(event_timestamp) >= {start:Date} AND toDate(event_timestamp) < {end:Date}
          AND toDate(event_timestamp) IN unsettled
        GROUP BY event_date, """
    + DIMENSION_COLUMNS
    + """
    )
    WHERE (NOT {is_of_app:Bool} OR app_id = {wanted_app:UUID})
      AND (
          NOT {is_after_key:Bool}
          OR (a_day, a_type, a_name, a_platform, a_currency, an_app) > (
              {day:String}, {event_type:String}, {event_name:String}, {platform:String}, {currency:String},
              {app_id:String}
          )
      )
    GROUP BY a_day, a_type, a_name, a_platform, a_currency, an_app
    HAVING NOT {is_after_number:Bool}
        OR number < toDecimal128({number:String}, 6)
        OR number = toDecimal128({number:String}, 6)
           AND (a_day, a_type, a_name, a_platform, a_currency, an_app) > (
               {day:String}, {event_type:String}, {event_name:String}, {platform:String}, {currency:String},
               {app_id:String}
           )
    ORDER BY number DESC, a_day, a_type, a_name, a_platform, a_currency, an_app
    LIMIT {limit:UInt64} OFFSET {start_offset:UInt64}
"""
)
# Settled and unsettled days as in LIST_STATISTICS, and the held events.
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
UNLIMITED: Final = 2**63
BEGINNING: Final = StatisticsPosition("0", "", "", "", "", "", "")


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


def list_statistics(
    reader: TenantReader,
    query: StatisticsQuery,
    *,
    since: datetime,
    after: StatisticsPosition | None = None,
    start_offset: int = 0,
    limit: int = UNLIMITED,
) -> list[Statistics]:
    """Return at most *limit* groups that follow *after*, in the order of *query*.

    Rows written after *since* are not settled. ClickHouse's `uniq` counts the devices: exactly up to about 65,000,
    approximately above.
    """
    is_by_key = query.order is StatisticsOrder.KEY
    parameters: dict[str, Any] = {f"by_{dimension}": dimension in query.group_by for dimension in DIMENSIONS}
    parameters |= {"start": query.period.start, "end": query.period.end, "since": since, "order": query.order.value}
    parameters |= {"is_of_app": query.app_id is not None, "wanted_app": query.app_id or NO_APP, "no_app": NO_APP}
    parameters |= {"is_after_key": after is not None and is_by_key}
    parameters |= {"is_after_number": after is not None and not is_by_key}
    parameters |= {**(after or BEGINNING)._asdict(), "start_offset": start_offset, "limit": limit}
    return [_statistics(query.group_by, row) for row in reader.query(LIST_STATISTICS, parameters)]


def _statistics(group_by: Collection[str], row: Sequence[Any]) -> Statistics:
    """Return the group of one row. Dimensions that were not requested are None."""
    *texts, events, revenue, devices, _ = row  # the last column only sorts
    requested = (text if name in group_by else None for name, text in zip(DIMENSIONS, texts, strict=True))
    day, event_type, event_name, platform, currency, app_id = requested
    return Statistics(
        day=date.fromisoformat(day) if day else None,
        event_type=event_type,
        event_name=event_name,
        platform=platform,
        currency=currency,
        app_id=UUID(app_id) if app_id else None,
        events=events,
        revenue=revenue,
        unique_devices=devices,
    )
