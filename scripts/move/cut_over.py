"""The cut-over of a move: the fence, the comparison, and the one commit that changes the home."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.errors import IdleInTransactionSessionTimeout, LockNotAvailable, QueryCanceled

from scripts.move.access import require_only_run
from scripts.move.checks import list_versions
from scripts.move.comparison import require_equal_rows
from scripts.move.databases import Connection, Connections
from scripts.move.errors import MoveError
from scripts.move.homes import Mark, put_mark
from scripts.move.leases import await_leases, is_releasing
from scripts.move.replication import await_catch_up, await_position, end_replication, find_position, name_of
from scripts.move.steps import MoveStep
from scripts.move.tables import Table, list_sequences, list_tables
from scripts.move.unique_values import enter_values
from tenancy.rules.homes import PLATFORM_FENCE, fence_key

# While a run waits for the fence, later transactions wait behind it. So the wait ends soon, and before PostgreSQL looks
# for a deadlock (after 1 s), which could end the other transaction.
LIMIT_LOCK_WAITS: Final = "SET LOCAL lock_timeout = '500ms'"
# If a run stops while it holds the fence, PostgreSQL ends its transaction.
LIMIT_FENCE: Final = "SET LOCAL statement_timeout = {limit}; SET LOCAL idle_in_transaction_session_timeout = {limit}"
LIMIT_TARGET: Final = "SET statement_timeout = {limit}"
TOO_LONG: Final = "The fence was closed for more than {seconds} s. Raise --fence-seconds."
NO_LOCK: Final = (
    "A database lock was not free in time while the fence was closed. The move was not committed. Run the same command"
    " again."
)
CLOSE_FENCE: Final = "SELECT pg_advisory_xact_lock(%s)"
SHARE_FENCE: Final = "SELECT pg_advisory_xact_lock_shared(%s)"
ATTEMPTS: Final = 60
LAGS: Final = 5
MAX_PAUSE_SECONDS: Final = 15.0
FIND_MAX: Final = sql.SQL("SELECT max({number}) FROM {table} WHERE organization_id = %s")
FIND_LAST: Final = sql.SQL("SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END FROM {sequence}")
# Until the commit no transaction inserts a row, so none takes a value of the sequence.
LOCK_TABLE: Final = sql.SQL("LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")
ADVANCE: Final = sql.SQL("SELECT setval({name}, greatest(last_value, %s)) FROM {sequence}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A move of an organization.

    *source* and *target* are the names of its databases. *versions* are the migrations of the source when the move
    began.
    """

    organization_id: UUID
    source: str
    target: str
    move_id: UUID
    versions: Sequence[tuple[int, str]] = ()

    @property
    def name(self) -> str:
        """The name of its publication, slot and subscription."""
        return name_of(self.move_id)


class _LaggingError(Exception):
    """The target is too far behind to wait for it inside the fence."""


class _ReleasingError(Exception):
    """A release of the organization's held events began just before the fence was closed."""


def cut_over(
    connections: Connections, move: Move, tables: Sequence[Table], say: Callable[[str], None], *, fence_seconds: int
) -> None:
    """Close the fence, and commit the move once the target has all rows.

    Raises:
        MoveError: a transaction does not release the fence, the target is too slow, or its rows or its schema differ.
    """
    target = connections.mover(move.target)
    target.execute(sql.SQL(LIMIT_TARGET).format(limit=sql.Literal(fence_seconds * 1000)))
    try:
        closed_at = _try_again(connections, move, tables, say, fence_seconds=fence_seconds)
    except QueryCanceled as error:
        raise MoveError(TOO_LONG.format(seconds=fence_seconds)) from error
    finally:
        with suppress(psycopg.Error):
            target.execute(sql.SQL(LIMIT_TARGET).format(limit=sql.Literal(0)))
    say(f"   the fence was closed for {time.monotonic() - closed_at:.2f} s")


def _try_again(
    connections: Connections, move: Move, tables: Sequence[Table], say: Callable[[str], None], *, fence_seconds: int
) -> float:
    """Cut over as soon as the fence is free, and return when it was closed."""
    source, target, lags = connections.mover(move.source), connections.mover(move.target), 0
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(min(1.5**attempt / 2, MAX_PAUSE_SECONDS))
        await_leases(source, target, move.organization_id, say)
        try:
            return _cut_over(connections, move, tables, say, fence_seconds=fence_seconds)
        except (LockNotAvailable, _ReleasingError):
            continue
        except IdleInTransactionSessionTimeout as error:  # this process paused, or another database answered late
            raise MoveError(TOO_LONG.format(seconds=fence_seconds)) from error
        except _LaggingError:
            lags += 1
            if lags == LAGS:
                raise MoveError(
                    "The target is too slow to catch up inside the fence. Run again under less load."
                ) from None
            await_catch_up(source, target, move.name)
    raise MoveError(
        "A long transaction holds the fence. End it (pg_stat_activity shows it). Run the same command again."
    )


def await_fence(source: Connection, organization_id: UUID) -> None:
    """Wait until no cut-over of the organization is under way. Its commit may outlive the process that sent it.

    Raises:
        MoveError: it does not end.
    """
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(1)
        with suppress(LockNotAvailable), source.transaction():
            source.execute(LIMIT_LOCK_WAITS)
            source.execute(SHARE_FENCE, (fence_key(organization_id),))
            return
    raise MoveError(
        "The cut-over of an earlier run does not end (pg_stat_activity shows it). Run the same command again."
    )


def _cut_over(
    connections: Connections, move: Move, tables: Sequence[Table], say: Callable[[str], None], *, fence_seconds: int
) -> float:
    source, target = connections.mover(move.source), connections.mover(move.target)
    with source.transaction():
        say(MoveStep.FENCE.line)
        source.execute(LIMIT_LOCK_WAITS)
        source.execute(sql.SQL(LIMIT_FENCE).format(limit=sql.Literal(fence_seconds * 1000)))
        for key in (PLATFORM_FENCE, fence_key(move.organization_id)):
            source.execute(CLOSE_FENCE, (key,))
        closed_at = time.monotonic()
        deadline = closed_at + fence_seconds
        if is_releasing(source, move.organization_id):
            raise _ReleasingError
        position = find_position(connections.owner(move.source))
        if not await_position(source, move.name, position, seconds=fence_seconds / 2):
            raise _LaggingError
        say(MoveStep.COMPARE.line)
        _require_equal_schemas(connections, move, tables)
        rows = require_equal_rows(source, target, tables, move.organization_id, deadline=deadline)
        say(f"   {rows} rows are equal")
        _require_time(deadline, fence_seconds)
        say(MoveStep.SEQUENCES.line)
        advance_sequences(target, tables, move.organization_id)
        enter_values(connections, move.source, move.organization_id)
        _require_time(deadline, fence_seconds)
        try:
            _mark_moved(connections, move, say, deadline=deadline, fence_seconds=fence_seconds)
        except LockNotAvailable as error:  # without its replication the move cannot try again
            raise MoveError(NO_LOCK) from error
    return closed_at


def _mark_moved(
    connections: Connections, move: Move, say: Callable[[str], None], *, deadline: float, fence_seconds: int
) -> None:
    """End the replication, and mark the organization in the source.

    The mark is in the transaction that holds the fence.
    """
    say(MoveStep.END_REPLICATION.line)
    end_replication(connections, [move.source, move.target], seconds=deadline - time.monotonic())
    _require_time(deadline, fence_seconds)
    require_only_run(connections)
    say(MoveStep.COMMIT.line)
    moved = Mark(organization_id=move.organization_id, state="moved", other=move.target, move_id=move.move_id)
    put_mark(connections.mover(move.source), moved)


def _require_equal_schemas(connections: Connections, move: Move, tables: Sequence[Table]) -> None:
    """Check that no migration has run since the copy began. None runs while the fence of the platform is closed."""
    for name in (move.source, move.target):
        is_migrated = list_versions(connections.owner(name)) != list(move.versions)
        if is_migrated or set(list_tables(connections.mover(name))) != set(tables):
            raise MoveError(f'The tables of "{name}" changed during the copy. Run the same command again.')


def _require_time(deadline: float, fence_seconds: int) -> None:
    if time.monotonic() > deadline:
        raise MoveError(TOO_LONG.format(seconds=fence_seconds))


def advance_sequences(target: Connection, tables: Sequence[Table], organization_id: UUID) -> None:
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
