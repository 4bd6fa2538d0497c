"""Release of held events: their copy into the events, and their removal here.

An event keeps its own time for ever. If some tier could accept that time at the first receipt or later, the event is
released at its own time, once that is past. All other events are released by the operator alone, with the time of their
first receipt. They stay here with the reason `released`: if a client sends such an event again, it is recognized as the
same event. Reasons: docs/decisions/0006-event-identity.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, Final
from uuid import UUID

from tenancy.rules.admission import HELD_FOR_QUOTA
from tenancy.rules.durations import LONGEST_DELIVERY_TIME
from tenancy.rules.events.row import LONGEST_RETENTION, RELEASED_REASON, format_row_time
from tenancy.rules.events.segment import HELD_FOR_CLOCK, LAST_MOMENT
from tenancy.rules.tiers import LONGEST_RETENTION_DAYS
from tenancy.stores.clickhouse.client import Client
from tenancy.stores.clickhouse.platform.mutations import run_mutation

COLUMNS: Final = """
    organization_id, event_id, event_type, event_name, device_id, session_id, platform, properties, user_properties,
    revenue, currency, device_names, user_names, app_id
"""
# Some retention would include or would have included the event at its first receipt, or includes it later.
IS_CREDIBLE: Final = """(
    event_timestamp >= received_at - toIntervalDay({longest_retention_days:UInt16})
    AND event_timestamp < {last_moment:DateTime64(3, 'UTC')}
)"""
HELD: Final = """
    organization_id = {organization_id:UUID} AND reason IN ({quota:String}, {clock:String})
    AND toDate(received_at) >= {first_kept:Date}
"""
IS_DUE: Final = (
    HELD
    + " AND "
    + IS_CREDIBLE
    + " AND event_timestamp <= {now:DateTime64(3, 'UTC')} AND toDate(event_timestamp) >= {first_kept:Date}"
)
# Another copy was accepted, a release died after its copy, or the event is marked. The inner sub-query limits the times
# to search.
IS_COUNTED: Final = """(organization_id, event_timestamp, device_id, event_id) IN (
    SELECT organization_id, event_timestamp, device_id, event_id FROM events
    WHERE organization_id IN {organizations:Array(UUID)} AND event_timestamp IN (
        SELECT event_timestamp FROM held_events
        WHERE organization_id IN {organizations:Array(UUID)} AND reason IN ({quota:String}, {clock:String})
    )
    UNION ALL
    SELECT organization_id, event_timestamp, device_id, event_id FROM held_events
    WHERE organization_id IN {organizations:Array(UUID)} AND reason = {released:String}
)"""
# The number of events that fit into the room, and the last time of receipt among them. Whole requests, oldest first.
# The last number counts those that take from the month's grace band.
FIND_RELEASABLE: Final = (
    """
    SELECT sum(events), max(received_at), sum(in_grace_band) FROM (
        SELECT received_at, count() AS events, sum(count()) OVER (ORDER BY received_at) AS events_until,
               countIf(reason = {quota:String} AND toDate(received_at) >= {month_start:Date}) AS in_grace_band
        FROM held_events FINAL WHERE """
    + IS_DUE
    + " AND NOT "
    + IS_COUNTED
    + """
        GROUP BY received_at
    ) WHERE events_until <= {room:UInt64}
"""
)
COUNT_COPIES: Final = "SELECT count() FROM held_events FINAL WHERE " + HELD + " AND " + IS_COUNTED
# Released events are received now, because the bill of the month in which they arrived may be closed. An event that is
# released twice is one event, received at its first release. The default of created_at would be the time at which the
# statement begins, also for rows that it writes minutes later. A client that polls would miss them.
INSERT_RELEASED: Final = (
    "INSERT INTO events ("
    + COLUMNS
    + ", event_timestamp, received_at, created_at) SELECT "
    + COLUMNS
    + ", event_timestamp, {now:DateTime64(6, 'UTC')}, nowInBlock('UTC') FROM held_events FINAL WHERE "
    + IS_DUE
    + " AND NOT "
    + IS_COUNTED
    + " AND received_at <= {until:DateTime64(6, 'UTC')}"
)
# Deletes only copies of counted events, so an event that was held since then stays.
DELETE_RELEASED: Final = (
    """
    ALTER TABLE held_events DELETE
    WHERE organization_id IN {organizations:Array(UUID)} AND reason IN ({quota:String}, {clock:String})
      AND """
    + IS_COUNTED
)
# A mark has the highest version, so that a copy that arrives later does not replace it. An event is marked once no copy
# can arrive any more that was received while its time was credible: such a copy may be accepted.
INSERT_MARKS: Final = (
    "INSERT INTO held_events ("
    + COLUMNS
    + ", event_timestamp, received_at, reason, version) SELECT "
    + COLUMNS
    + """, event_timestamp, received_at, {released:String}, 18446744073709551615
    FROM held_events FINAL WHERE """
    + HELD
    + " AND NOT "
    + IS_CREDIBLE
    + """
      AND (
          event_timestamp < {first_deliverable:DateTime64(3, 'UTC')}
          OR event_timestamp >= {last_moment:DateTime64(3, 'UTC')}
      )
      AND NOT """
    + IS_COUNTED
)
MARKS_WITHOUT_EVENT: Final = """
    FROM held_events FINAL
    WHERE organization_id = {organization_id:UUID} AND reason = {released:String}
      AND toDate(received_at) >= {first_kept:Date}
      AND (toDateTime64(received_at, 3, 'UTC'), device_id, event_id) NOT IN (
          SELECT event_timestamp, device_id, event_id FROM events
          WHERE organization_id = {organization_id:UUID} AND event_timestamp IN (
              SELECT toDateTime64(received_at, 3, 'UTC') FROM held_events
              WHERE organization_id = {organization_id:UUID} AND reason = {released:String}
          )
      )
"""
COUNT_MARKED: Final = "SELECT count() " + MARKS_WITHOUT_EVENT
INSERT_MARKED: Final = (
    "INSERT INTO events ("
    + COLUMNS
    + ", event_timestamp, received_at, created_at) SELECT "
    + COLUMNS
    + ", toDateTime64(received_at, 3, 'UTC'), {now:DateTime64(6, 'UTC')}, nowInBlock('UTC')"
    + MARKS_WITHOUT_EVENT
)
# An event with a credible time is never released once that is older than the retention of every tier.
COUNT_WAITING: Final = (
    "SELECT count() FROM held_events FINAL WHERE "
    + HELD
    + " AND NOT ("
    + IS_CREDIBLE
    + " AND event_timestamp < {first_kept_by_any:DateTime64(3, 'UTC')})"
)
WITH_SUBQUERIES: Final = {"allow_nondeterministic_mutations": 1}
UNLIMITED_ROOM: Final = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class DueEvents:
    """The scope of a release: the organization's held events that are due at *now*.

    They were received and happened on the day *first_kept* or later.
    """

    organization_id: UUID
    first_kept: date
    now: datetime

    @property
    def parameters(self) -> dict[str, Any]:
        """The scope as parameters of the statements.

        A copy with a time before `first_deliverable`, received while that time was credible, cannot arrive any more.
        """
        return _parameters_of([self.organization_id]) | {
            "organization_id": str(self.organization_id),
            "first_kept": self.first_kept,
            "now": self.now,
            "first_deliverable": self.now - LONGEST_RETENTION - LONGEST_DELIVERY_TIME,
            "first_kept_by_any": datetime.combine((self.now - LONGEST_RETENTION).date(), time(), UTC),
            "longest_retention_days": LONGEST_RETENTION_DAYS,
            "last_moment": format_row_time(LAST_MOMENT),
        }


def _parameters_of(organization_ids: Sequence[UUID]) -> dict[str, Any]:
    return {
        "organizations": [str(each) for each in organization_ids],
        "quota": HELD_FOR_QUOTA,
        "clock": HELD_FOR_CLOCK,
        "released": RELEASED_REASON,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitting:
    """The due events that fit into a room.

    *events* is their number, and *until* the last time of receipt among them. *in_grace_band* of them were held for
    quota in the current month.
    """

    events: int
    until: datetime
    in_grace_band: int


def find_fitting(client: Client, due: DueEvents, *, room: int | None) -> Fitting:
    """Return the due events that fit into *room*, whole requests, oldest first.

    Without *room* all due events fit. Events that are stored already take no room.
    """
    parameters = due.parameters | {
        "room": UNLIMITED_ROOM if room is None else room,
        "month_start": due.now.date().replace(day=1),
    }
    [(events, until, in_grace_band)] = client.query(FIND_RELEASABLE, parameters=parameters).result_rows
    return Fitting(events=int(events or 0), until=until, in_grace_band=int(in_grace_band or 0))


def count_copies(client: Client, due: DueEvents) -> int:
    """Return the number of the organization's held events that are counted already, due or not."""
    return int(client.query(COUNT_COPIES, parameters=due.parameters).result_rows[0][0])


def insert_released(client: Client, due: DueEvents, fitting: Fitting) -> None:
    """Insert the due events that fit into the events, as received now."""
    client.command(INSERT_RELEASED, parameters=due.parameters | {"until": fitting.until})


def delete_released(client: Client, organization_ids: Sequence[UUID]) -> None:
    """Delete the held events of all these organizations that are counted: stored among the events, or marked.

    One mutation deletes them.
    """
    run_mutation(client, DELETE_RELEASED, _parameters_of(organization_ids), settings=WITH_SUBQUERIES)


def insert_marks(client: Client, due: DueEvents) -> None:
    """Mark the organization's held events without a credible time as released. Idempotent."""
    client.command(INSERT_MARKS, parameters=due.parameters)


def count_marked(client: Client, due: DueEvents) -> int:
    """Return the number of marked events that are not among the events yet."""
    return int(client.query(COUNT_MARKED, parameters=due.parameters).result_rows[0][0])


def insert_marked(client: Client, due: DueEvents) -> None:
    """Insert the marked events into the events, with the time of their first receipt.

    Idempotent.
    """
    client.command(INSERT_MARKED, parameters=due.parameters)


def count_waiting(client: Client, due: DueEvents) -> int:
    """Return the number of the organization's held events that a later release may release."""
    return int(client.query(COUNT_WAITING, parameters=due.parameters).result_rows[0][0])
