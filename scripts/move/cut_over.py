"""The cut-over of a move: the fence, the comparison, and the one commit that changes the home."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from psycopg import sql
from psycopg.errors import LockNotAvailable

from scripts.move.comparison import require_equal_rows
from scripts.move.databases import Connection, Connections
from scripts.move.errors import MoveError
from scripts.move.homes import Mark, put_mark
from scripts.move.replication import await_position, end_replication, find_position, name_of
from scripts.move.steps import Step
from scripts.move.tables import Table, list_sequences
from tenancy.rules.homes import PLATFORM_FENCE, fence_key

# While the mover waits for the fence, later transactions wait behind it. So it gives up soon, and earlier than
# PostgreSQL looks for a deadlock (1 s), which could end the other transaction.
LIMIT_LOCK_WAITS: Final = "SET LOCAL lock_timeout = '500ms'"
# If the mover stops while it holds the fence, PostgreSQL ends its transaction.
LIMIT_FENCE: Final = "SET LOCAL statement_timeout = {limit}; SET LOCAL idle_in_transaction_session_timeout = {limit}"
CLOSE_FENCE: Final = "SELECT pg_advisory_xact_lock(%s)"
ATTEMPTS: Final = 600
PAUSE_SECONDS: Final = 1.0
FIND_MAX: Final = sql.SQL("SELECT max({number}) FROM {table} WHERE organization_id = %s")
FIND_LAST: Final = sql.SQL("SELECT last_value FROM {sequence}")
# Until the commit nobody inserts, so nobody takes a value of the sequence.
LOCK_TABLE: Final = sql.SQL("LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")
ADVANCE: Final = sql.SQL("SELECT setval({name}, greatest(last_value, %s)) FROM {sequence}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A move of an organization from *source* to *target*, two names of databases."""

    organization_id: UUID
    source: str
    target: str
    move_id: UUID

    @property
    def name(self) -> str:
        """The name of its publication, slot and subscription."""
        return name_of(self.move_id)


class _LaggingError(Exception):
    """The target is too far behind to wait for it inside the fence."""


def cut_over(
    connections: Connections, move: Move, tables: Sequence[Table], say: Callable[[str], None], *, fence_seconds: int
) -> None:
    """Close the fence, and commit the move once the target has all rows.

    Raises:
        MoveError: the fence is taken all the time, the target is too slow, or its rows differ.
    """
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(PAUSE_SECONDS)
        try:
            closed_at = _cut_over(connections, move, tables, say, fence_seconds=fence_seconds)
        except (LockNotAvailable, _LaggingError):
            continue
        say(f"   the fence was closed for {time.monotonic() - closed_at:.2f} s")
        return
    raise MoveError(
        "A long transaction holds the fence. End it (pg_stat_activity shows it). Run the same command again."
    )


def _cut_over(
    connections: Connections, move: Move, tables: Sequence[Table], say: Callable[[str], None], *, fence_seconds: int
) -> float:
    source, target = connections.mover(move.source), connections.mover(move.target)
    with source.transaction():
        say(Step.FENCE.line)
        source.execute(LIMIT_LOCK_WAITS)
        source.execute(sql.SQL(LIMIT_FENCE).format(limit=sql.Literal(fence_seconds * 1000)))
        for key in (PLATFORM_FENCE, fence_key(move.organization_id)):
            source.execute(CLOSE_FENCE, (key,))
        closed_at = time.monotonic()
        if not await_position(source, move.name, find_position(source), seconds=fence_seconds / 2):
            raise _LaggingError
        say(Step.COMPARE.line)
        rows = require_equal_rows(source, target, tables, move.organization_id)
        say(f"   {rows} rows are equal")
        if time.monotonic() - closed_at > fence_seconds:
            raise MoveError(f"The comparison took more than {fence_seconds} s. Give it more: --fence-seconds")
        say(Step.SEQUENCES.line)
        _advance_sequences(target, tables, move.organization_id)
        say(Step.END_REPLICATION.line)
        end_replication(connections, [move.source, move.target])
        say(Step.COMMIT.line)
        moved = Mark(organization_id=move.organization_id, state="moved", other=move.target, move_id=move.move_id)
        put_mark(source, moved)
    return closed_at


def _advance_sequences(target: Connection, tables: Sequence[Table], organization_id: UUID) -> None:
    """Let each sequence of the target go on after the moved rows. It never goes back."""
    for table, column, sequence in list_sequences(target, tables):
        names = {
            "table": sql.Identifier(table),
            "number": sql.Identifier(column),
            "sequence": sql.Identifier(sequence),
            "name": sql.Literal(sequence),
        }
        [(highest,)] = target.execute(FIND_MAX.format(**names), (organization_id,)).fetchall()
        [(last,)] = target.execute(FIND_LAST.format(**names)).fetchall()
        if highest is None or highest <= last:
            continue
        with target.transaction():
            target.execute(LIMIT_LOCK_WAITS)
            target.execute(LOCK_TABLE.format(**names))
            target.execute(ADVANCE.format(**names), (highest,))
