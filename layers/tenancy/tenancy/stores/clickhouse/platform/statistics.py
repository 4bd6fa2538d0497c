"""Daily statistics of all organizations, as the roll-up writes and checks them, and an erasure writes them anew."""

from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Final
from uuid import UUID

from tenancy.stores.clickhouse.client import Client

COUNT_EVENTS: Final = """
    INSERT INTO daily_statistics (
        organization_id, event_date, event_type, event_name, platform, currency, events, bytes, revenue, devices, run
    )
    SELECT organization_id, toDate(event_timestamp) AS event_date, event_type, event_name, platform, currency,
           count(),
           sum(bytes),
           sum(revenue), uniqState(device_id), {run:DateTime64(3, 'UTC')}
    FROM events FINAL
    WHERE organization_id NOT IN (SELECT organization_id FROM tombstones)
"""
BY_DAY: Final = " GROUP BY organization_id, event_date, event_type, event_name, platform, currency"
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
# A worker whose clock is behind would write a run that does not count, and leave the newer one.
CHOOSE_RUN: Final = """
    SELECT toUnixTimestamp64Milli(greatest({run:DateTime64(3, 'UTC')}, max(run) + INTERVAL 1 MILLISECOND))
    FROM daily_statistics WHERE organization_id = {organization_id:UUID} AND event_date IN {days:Array(Date)}
"""
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
DELETE_STATISTICS_OF_ONE: Final = """
    ALTER TABLE daily_statistics DELETE
    WHERE organization_id = {organization_id:UUID} AND event_date IN {days:Array(Date)}
      AND run < {run:DateTime64(3, 'UTC')}
"""
MUTATION: Final = {"mutations_sync": 2}
LIST_STORED_BYTES: Final = """
    SELECT organization_id, sum(bytes) FROM daily_statistics FINAL
    WHERE (organization_id, event_date, run) IN (
        SELECT organization_id, event_date, max(run) FROM daily_statistics GROUP BY organization_id, event_date
    )
    GROUP BY organization_id
"""
# Of the days that a run has counted: its statistics have at least the rows that it must have seen, and at most those
# that are there now (written while it ran, some of them).
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
    """Write the statistics of every event day with rows written *since* then, as of the *run* that starts now."""
    client.command(INSERT_DAILY_STATISTICS, parameters={"since": since, "run": run})


def replace_statistics(client: Client, organization_id: UUID, days: Collection[date], *, run: datetime) -> None:
    """Write the statistics of event *days* from the rows that are left, and delete all older ones.

    They are as of *run*, or newer than any run that the days have. Older ones hold hashes of devices; those of a day
    without any rows are deleted as well.
    """
    parameters = {"organization_id": str(organization_id), "days": sorted(days), "run": run}
    [(milliseconds,)] = client.query(CHOOSE_RUN, parameters=parameters).result_rows
    parameters["run"] = EPOCH + timedelta(milliseconds=milliseconds)
    client.command(INSERT_STATISTICS_OF_ONE, parameters=parameters)
    client.command(DELETE_STATISTICS_OF_ONE, parameters=parameters, settings=MUTATION)


def list_stored_bytes(client: Client) -> Mapping[UUID, int]:
    """Return how many bytes of events each organization has, by its newest statistics."""
    return {organization_id: int(size) for organization_id, size in client.query(LIST_STORED_BYTES).result_rows}


def list_statistics_drifts(client: Client, *, since: datetime, run: datetime) -> Mapping[UUID, int]:
    """Return by how many events the statistics of *run* are off, of organizations where they are."""
    rows = client.query(LIST_DRIFTS, parameters={"since": since, "run": run}).result_rows
    return {organization_id: int(drift) for organization_id, _, _, _, drift in rows}
