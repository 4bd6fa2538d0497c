"""Daily statistics of all organizations.

The roll-up writes and checks them. An erasure writes them again.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from itertools import batched
from typing import Any, Final
from uuid import UUID

from tenancy.rules.unix_time import time_of
from tenancy.stores.clickhouse.client import Client
from tenancy.stores.clickhouse.platform.mutations import run_mutation
from tenancy.stores.clickhouse.statistics import DIMENSION_COLUMNS

COUNT_EVENTS: Final = (
    "INSERT INTO daily_statistics (organization_id, event_date, "
    + DIMENSION_COLUMNS
    + """, events, bytes, revenue, devices, run)
    SELECT organization_id, toDate(event_timestamp) AS event_date, """
    + DIMENSION_COLUMNS
    + """,
           count(),
           sum(bytes),
           sum(revenue), uniqState(device_id), {run:DateTime64(3, 'UTC')}
    FROM events FINAL
    WHERE organization_id NOT IN (SELECT organization_id FROM tombstones)
"""
)
BY_DAY: Final = " GROUP BY organization_id, event_date, " + DIMENSION_COLUMNS
INSERT_DAILY_STATISTICS: Final = (
    COUNT_EVENTS
    + """
      AND (organization_id, toDate(event_timestamp)) IN (
          SELECT DISTINCT organization_id, toDate(event_timestamp) FROM events
          WHERE created_at >= {since:DateTime64(3, 'UTC')}
      )
    """
    + BY_DAY
)
INSERT_STATISTICS_OF_ONE: Final = (
    COUNT_EVENTS
    + " AND organization_id = {organization_id:UUID} AND toDate(event_timestamp) IN {days:Array(Date)}"
    + BY_DAY
)
# Newer than any stored run, even if the clock of this worker is behind. Only the newest run of a day counts.
CHOOSE_RUN: Final = """
    SELECT toUnixTimestamp64Milli(greatest({run:DateTime64(3, 'UTC')}, max(run) + INTERVAL 1 MILLISECOND))
    FROM daily_statistics WHERE organization_id = {organization_id:UUID} AND event_date IN {days:Array(Date)}
"""
DELETE_STATISTICS_OF_ONE: Final = """
    ALTER TABLE daily_statistics DELETE
    WHERE organization_id = {organization_id:UUID} AND event_date IN {days:Array(Date)}
      AND run < {run:DateTime64(3, 'UTC')}
"""
LIST_STORED_BYTES: Final = """
    SELECT organization_id, sum(bytes) FROM daily_statistics FINAL
    WHERE (organization_id, event_date, run) IN (
        SELECT organization_id, event_date, max(run) FROM daily_statistics GROUP BY organization_id, event_date
    )
    GROUP BY organization_id
"""
LIST_STORED_BYTES_OF: Final = """
    SELECT organization_id, sum(bytes) FROM daily_statistics FINAL
    WHERE organization_id IN {organizations:Array(UUID)} AND (organization_id, event_date, run) IN (
        SELECT organization_id, event_date, max(run) FROM daily_statistics
        WHERE organization_id IN {organizations:Array(UUID)} GROUP BY organization_id, event_date
    )
    GROUP BY organization_id
"""
ORGANIZATIONS_AT_ONCE: Final = 1_000  # in the parameter of a query
# Checks the days that a run has counted. Its statistics must count at least the rows that were stored before it, and at
# most the rows that are stored now, some of which were written during the run.
LIST_DRIFTS: Final = """
    WITH event_days AS (
        SELECT DISTINCT organization_id, toDate(event_timestamp) FROM events
        WHERE created_at >= {since:DateTime64(3, 'UTC')} AND created_at < {run:DateTime64(3, 'UTC')}
    )
    SELECT organization_id,
           sum(seen) AS least, sum(present) AS most, sum(counted) AS found,
           if(found < least, least - found, if(found > most, found - most, 0)) AS drift
    FROM (
        SELECT organization_id, toInt64(countIf(created_at < toStartOfSecond({run:DateTime64(3, 'UTC')}))) AS seen,
               toInt64(count()) AS present, toInt64(0) AS counted
        FROM events FINAL WHERE (organization_id, toDate(event_timestamp)) IN event_days GROUP BY organization_id
        UNION ALL
        SELECT organization_id, toInt64(0), toInt64(0), toInt64(sum(events)) FROM daily_statistics FINAL
        WHERE (organization_id, event_date) IN event_days AND run = {run:DateTime64(3, 'UTC')}
        GROUP BY organization_id
    )
    GROUP BY organization_id HAVING drift > 0
"""


def insert_daily_statistics(client: Client, *, since: datetime, run: datetime) -> None:
    """Write the statistics of every event day with rows written after *since*, as of *run*.

    *run* is the time at which the roll-up started.
    """
    client.command(INSERT_DAILY_STATISTICS, parameters={"since": since, "run": run})


def replace_statistics(client: Client, organization_id: UUID, days: Collection[date], *, run: datetime) -> None:
    """Write the statistics of event *days* from the remaining rows, and delete all older ones.

    The new statistics are as of *run*, or newer than any stored run of these days. Older statistics are deleted because
    they hold hashes of devices, also for days without remaining rows.
    """
    parameters = {"organization_id": str(organization_id), "days": sorted(days), "run": run}
    [(milliseconds,)] = client.query(CHOOSE_RUN, parameters=parameters).result_rows
    parameters["run"] = time_of(milliseconds)
    client.command(INSERT_STATISTICS_OF_ONE, parameters=parameters)
    run_mutation(client, DELETE_STATISTICS_OF_ONE, parameters)


def list_stored_bytes(client: Client, organizations: Collection[UUID] | None = None) -> Mapping[UUID, int]:
    """Return the stored bytes of events of *organizations*, or of all, from their newest statistics.

    Organizations without statistics are left out.
    """
    if organizations is None:
        return _sizes(client.query(LIST_STORED_BYTES).result_rows)
    found: dict[UUID, int] = {}
    for some in batched(sorted(organizations), ORGANIZATIONS_AT_ONCE, strict=False):
        parameters = {"organizations": [str(each) for each in some]}
        found |= _sizes(client.query(LIST_STORED_BYTES_OF, parameters=parameters).result_rows)
    return found


def list_statistics_drifts(client: Client, *, since: datetime, run: datetime) -> Mapping[UUID, int]:
    """Return the difference in events between the statistics of *run* and the rows.

    Organizations without a difference are left out.
    """
    rows = client.query(LIST_DRIFTS, parameters={"since": since, "run": run}).result_rows
    return {organization_id: int(drift) for organization_id, _, _, _, drift in rows}


def _sizes(rows: Iterable[Sequence[Any]]) -> dict[UUID, int]:
    return {organization_id: int(size) for organization_id, size in rows}
