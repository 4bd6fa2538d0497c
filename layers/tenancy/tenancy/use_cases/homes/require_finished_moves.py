"""Report moves of organizations between databases that are unfinished after a day."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from tenancy.rules.durations import LONGEST_MOVE
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.platform.moves import list_unfinished_moves

REPORTED: Final = 10  # organizations


class UnfinishedMovesError(Exception):
    """Moves were interrupted, and no later run has completed or undone them."""

    def __init__(self, organization_ids: Sequence[UUID]) -> None:
        """Name the organizations and the next step."""
        hours, names = LONGEST_MOVE // timedelta(hours=1), ", ".join(map(str, organization_ids))
        super().__init__(
            f"Moves have not ended for more than {hours} hours: {names}. Run: python -m scripts.move complete"
        )


def require_finished_moves(platform_db: Database, *, now: datetime) -> None:
    """Check that no move of the database is older than the longest run of `scripts/move`.

    Until a move ends, erasures of its organization wait, and its replication slot may keep WAL.

    Raises:
        UnfinishedMovesError: at least one move is older.
        UnavailableError: the database is unreachable.
    """
    with platform_db.transaction() as conn:
        unfinished = list_unfinished_moves(conn, before=now - LONGEST_MOVE, limit=REPORTED)
    if unfinished:
        raise UnfinishedMovesError(unfinished)
