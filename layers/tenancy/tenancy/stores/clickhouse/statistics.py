"""Statistics of a tenant: counts and sums of its events by the time of the event, in groups.

In UTC they come from the daily statistics, in another time zone from the events.
"""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from tenancy.rules.durations import ONE_SECOND
from tenancy.rules.statistics import (
    DIMENSIONS,
    NO_APP,
    Statistics,
    StatisticsOrder,
    StatisticsPosition,
    StatisticsQuery,
)
from tenancy.rules.time_zones import list_local_spans
from tenancy.rules.unix_time import milliseconds_of
from tenancy.stores.clickhouse.client import TenantReader

# The columns by which statistics are grouped, beside the organization and the day.
DIMENSION_COLUMNS: Final = "event_type, event_name, platform, currency, app_id"
# A dimension that is not requested is empty and does not group.
SELECT_GROUPS: Final = """
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
"""
# A page begins after the group at a position. In the order of the dimensions the rows of earlier groups are left out
# before they are counted.
PAGE_OF_GROUPS: Final = """
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
# Settled days come from daily_statistics, from the newest run of each day. Days with rows written since then are
# counted from the events.
LIST_STATISTICS: Final = (
    """
    WITH unsettled AS (
        SELECT DISTINCT toDate(event_timestamp) FROM events
        WHERE organization_id = {organization_id:UUID} AND created_at >= {since:DateTime64(3, 'UTC')}
    )
    """
    + SELECT_GROUPS
    + """
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
    """
    + PAGE_OF_GROUPS
)
# The local day of an event is the day in UTC of its time plus the offset from UTC of its span. Spans have no gaps. In
# the order of their starts, the number of spans that started before an event is the place of its span.
LIST_ZONE_STATISTICS: Final = (
    SELECT_GROUPS
    + """
        SELECT event_date, """
    + DIMENSION_COLUMNS
    + """,
               count() AS events, CAST(sum(revenue) AS Decimal(38, 6)) AS revenue, uniqState(device_id) AS devices
        FROM (
            SELECT toDate(event_timestamp + toIntervalSecond({offsets:Array(Int32)}[
                       arrayCount(start -> start <= toUnixTimestamp64Milli(event_timestamp), {starts:Array(Int64)})
                   ])) AS event_date, device_id, revenue, """
    + DIMENSION_COLUMNS
    + """
            FROM events FINAL
            WHERE organization_id = {organization_id:UUID}
              AND event_timestamp >= fromUnixTimestamp64Milli({first:Int64}, 'UTC')
              AND event_timestamp < fromUnixTimestamp64Milli({last:Int64}, 'UTC')
        )
        WHERE event_date >= {start:Date} AND event_date < {end:Date}
        GROUP BY event_date, """
    + DIMENSION_COLUMNS
    + PAGE_OF_GROUPS
)
MAX_ZONE_ROWS: Final = 100_000_000  # that one query may read. ClickHouse refuses more before it reads any.
UNLIMITED: Final = 2**63
BEGINNING: Final = StatisticsPosition("0", "", "", "", "", "", "")


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

    The days are in UTC. Rows written after *since* are not settled. ClickHouse's `uniq` counts the devices: exactly up
    to about 65,000, approximately above.
    """
    parameters = _parameters(query, after) | {"since": since, "start_offset": start_offset, "limit": limit}
    return [_statistics(query.group_by, row) for row in reader.query(LIST_STATISTICS, parameters)]


def list_zone_statistics(
    reader: TenantReader,
    query: StatisticsQuery,
    *,
    after: StatisticsPosition | None = None,
    limit: int = UNLIMITED,
    max_rows: int = MAX_ZONE_ROWS,
) -> list[Statistics]:
    """Return at most *limit* groups that follow *after*, with days of the query's zone.

    The events are counted one by one, devices as in `list_statistics`.

    Raises:
        TooManyRowsError: the query would read more than *max_rows* rows.
    """
    spans = list_local_spans(query.zone, query.period)
    if not spans:
        return []
    parameters = _parameters(query, after) | {
        "first": milliseconds_of(spans[0].starts_at),
        "last": milliseconds_of(spans[-1].ends_at),
        "starts": [milliseconds_of(span.starts_at) for span in spans],
        "offsets": [span.offset // ONE_SECOND for span in spans],
        "start_offset": 0,
        "limit": limit,
    }
    rows = reader.query(LIST_ZONE_STATISTICS, parameters, max_rows=max_rows)
    return [_statistics(query.group_by, row) for row in rows]


def _parameters(query: StatisticsQuery, after: StatisticsPosition | None) -> dict[str, Any]:
    """Return the parameters of the groups of *query*, and of their position."""
    is_by_key = query.order is StatisticsOrder.KEY
    parameters: dict[str, Any] = {f"by_{dimension}": dimension in query.group_by for dimension in DIMENSIONS}
    parameters |= {"start": query.period.start, "end": query.period.end, "order": query.order.value}
    parameters |= {"is_of_app": query.app_id is not None, "wanted_app": query.app_id or NO_APP, "no_app": NO_APP}
    parameters |= {"is_after_key": after is not None and is_by_key}
    parameters |= {"is_after_number": after is not None and not is_by_key}
    return parameters | (after or BEGINNING)._asdict()


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
