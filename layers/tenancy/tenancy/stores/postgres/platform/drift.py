"""The drift that roll-ups have found, as a sum of all organizations."""

from datetime import datetime
from typing import Final

from psycopg.rows import class_row

from tenancy.rules.compliance import Drift
from tenancy.rules.usage import Period
from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.compliance import period_values

UPDATE_DRIFT: Final = "UPDATE roll_ups SET counter_drift = %s, statistics_drift = %s WHERE started_at = %s"
SUM_DRIFT: Final = """
    SELECT count(*) AS roll_ups, count(statistics_drift) AS measured,
           coalesce(sum(counter_drift), 0)::bigint AS counter_events,
           coalesce(sum(statistics_drift), 0)::bigint AS statistics_events
    FROM roll_ups WHERE started_at >= %(start)s AND started_at < %(end)s
"""


def update_drift(conn: Connection, *, started_at: datetime, counter_events: int | None, statistics_events: int) -> None:
    """Store the drift of a roll-up in events. *counter_events* is None if no counters were compared."""
    conn.execute(UPDATE_DRIFT, (counter_events, statistics_events, started_at))


def sum_drift(conn: Connection, period: Period) -> Drift:
    """Return the drift that the roll-ups of *period* have recorded."""
    with conn.cursor(row_factory=class_row(Drift)) as cursor:
        return cursor.execute(SUM_DRIFT, period_values(period)).fetchall()[0]
