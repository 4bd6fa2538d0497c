"""The marks of roll-ups, which belong to a database and not to an organization.

A roll-up counts rows that were written since the last one of its database. So the next roll-up of the target must begin
where the source's last one did: otherwise rows that were written in between are counted by neither.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from psycopg.errors import LockNotAvailable

from scripts.move.databases import Connection
from scripts.move.homes import delete_incoming
from scripts.move.leases import await_end, is_rolling_up
from tenancy.rules.homes import PLATFORM_FENCE

# Of runs that finished before the move closed the fence. A later one did not see the organization until its end.
FIND_MARK: Final = """
    SELECT least(started_at, recent_from) FROM roll_ups
    WHERE finished_at < (SELECT recorded_at FROM moved_organizations WHERE organization_id = %s)
    ORDER BY started_at DESC LIMIT 1
"""
NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
LIMIT_LOCK_WAITS: Final = "SET LOCAL lock_timeout = '500ms'"
CLOSE_FENCE: Final = "SELECT pg_advisory_xact_lock(%s)"
# A run after one that settled no counters is a full one.
LOWER_MARK: Final = """
    UPDATE roll_ups SET recent_from = least(recent_from, started_at, %s), counters_settled_at = NULL
    WHERE started_at = (SELECT max(started_at) FROM roll_ups)
"""


def open_target(source: Connection, target: Connection, organization_id: UUID, say: Callable[[str], None]) -> None:
    """Make the target the home, between two of its roll-ups, and let the next one count all that is new to it.

    Idempotent. Until then the organization is served, because the source leads to the target.

    Raises:
        MoveError: a roll-up of the target does not end.
    """
    [(mark,)] = source.execute(FIND_MARK, (organization_id,)).fetchall() or [(None,)]
    _open(target, organization_id, mark or NEVER, say)


def open_again(target: Connection, organization_id: UUID, say: Callable[[str], None]) -> None:
    """Make the target the home, as `open_target` does, and let the next roll-up count all rows.

    Raises:
        MoveError: a roll-up of the target does not end.
    """
    _open(target, organization_id, NEVER, say)


def _open(target: Connection, organization_id: UUID, mark: datetime, say: Callable[[str], None]) -> None:
    await_end(lambda: not _try_to_open(target, organization_id, mark), "the roll-up of the target", say)


def _try_to_open(target: Connection, organization_id: UUID, mark: datetime) -> bool:
    try:
        with target.transaction():
            target.execute(LIMIT_LOCK_WAITS)
            target.execute(CLOSE_FENCE, (PLATFORM_FENCE,))
            if is_rolling_up(target):
                return False
            target.execute(LOWER_MARK, (mark,))
            delete_incoming(target, organization_id)
    except LockNotAvailable:
        return False
    return True
