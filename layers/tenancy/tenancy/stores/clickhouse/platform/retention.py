"""Deletion of expired events, for many organizations at once."""

from collections.abc import Sequence
from datetime import date
from typing import Any, Final
from uuid import UUID

from tenancy.rules.events.row import RELEASED_REASON
from tenancy.stores.clickhouse.client import Client
from tenancy.stores.clickhouse.platform.mutations import run_mutation

# An event that was received in an open month stays until its bill is closed, because days of receipt may be recounted.
DELETE_EVENTS: Final = """
    ALTER TABLE events DELETE
    WHERE organization_id IN {organizations:Array(UUID)}
      AND toDate(event_timestamp) < {first_kept:Date} AND toDate(received_at) < {first_open:Date}
"""
# The mark of a released event stays as long as the event, else a repeated call would count again. A mark is written
# right before its event. The day in between allows for midnight and for clocks that differ.
DELETE_HELD_EVENTS: Final = """
    ALTER TABLE held_events DELETE
    WHERE organization_id IN {organizations:Array(UUID)} AND toDate(received_at) < {first_kept:Date}
      AND (reason != {released:String} OR toDate(created_at) < {first_open:Date} - 1)
"""
DELETE_STATISTICS: Final = """
    ALTER TABLE daily_statistics DELETE
    WHERE organization_id IN {organizations:Array(UUID)} AND event_date < {first_kept:Date}
"""


def delete_expired(client: Client, organizations: Sequence[UUID], *, first_kept: date, first_open: date) -> None:
    """Delete the events of *organizations* from before the day *first_kept*. Idempotent.

    Events that were received on the day *first_open* or later stay, because their bills are open. The rows are gone
    from every part on disk when it returns.
    """
    values: dict[str, Any] = {
        "organizations": [str(each) for each in organizations],
        "first_kept": first_kept,
        "first_open": first_open,
        "released": RELEASED_REASON,
    }
    run_mutation(client, DELETE_EVENTS, values)
    run_mutation(client, DELETE_HELD_EVENTS, values)
    run_mutation(client, DELETE_STATISTICS, values)
