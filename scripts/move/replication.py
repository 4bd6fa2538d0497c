"""Publication, replication slot and subscription of a move. All three have the name of the move."""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Final
from uuid import UUID

from psycopg import sql
from psycopg.errors import LockNotAvailable, ObjectInUse, UndefinedObject

from scripts.move.databases import Connection, Connections
from scripts.move.errors import MoveError
from scripts.move.tables import Table
from tenancy.rules.homes import MOVE_PREFIX

POLL_SECONDS: Final = 0.02
REPORT_SECONDS: Final = 10.0
MAX_ERRORS: Final = 3  # of the workers. A second try may succeed after a deadlock, and never if a table differs.
WORKERLESS_SECONDS: Final = 120.0  # PostgreSQL starts a worker again after seconds
CATCH_UP_SECONDS: Final = 3600.0
CHECK_SECONDS: Final = 10.0
LOCK_ATTEMPTS: Final = 60
LOCK_PAUSE_SECONDS: Final = 1.0
END_SECONDS: Final = 60.0
WORKERLESS: Final = (
    "The target starts no worker to copy. Raise its max_logical_replication_workers, max_worker_processes or"
    " max_replication_slots, or see the log of its PostgreSQL."
)

# A publication waits for VACUUM of a table. Meanwhile migrations wait for the publication.
LIMIT_LOCK_WAITS: Final = "SET LOCAL lock_timeout = '2s'"
CREATE_PUBLICATION: Final = "CREATE PUBLICATION {name} FOR TABLE {tables} WITH (publish = 'insert, update, delete')"
PUBLISHED_TABLE: Final = sql.SQL("{table} WHERE ({column} = {organization})")
DROP_PUBLICATION: Final = "DROP PUBLICATION IF EXISTS {name}"
LIST_PUBLICATIONS: Final = "SELECT pubname FROM pg_publication WHERE starts_with(pubname, %s) ORDER BY 1"
CREATE_SLOT: Final = "SELECT pg_create_logical_replication_slot(%s, 'pgoutput')"
# The slot is made before: on one server, CREATE SUBSCRIPTION would wait for its own transaction. The worker runs as the
# owner of the subscription: policies bind the owner of the tables. With `synchronous_commit` a position that the target
# has confirmed is on its disk, as soon as it is applied.
CREATE_SUBSCRIPTION: Final = """
    CREATE SUBSCRIPTION {name} CONNECTION {publisher} PUBLICATION {name} WITH (
        create_slot = false, slot_name = {name}, copy_data = true, run_as_owner = true, synchronous_commit = 'on',
        disable_on_error = false
    )
"""
# Tables that are not copied yet: the state of a copied one is `r`, ready.
FIND_COPY: Final = """
    SELECT count(*) FILTER (WHERE r.srsubstate <> 'r'), count(*),
           coalesce(
               (SELECT apply_error_count + sync_error_count FROM pg_stat_subscription_stats WHERE subid = s.oid), 0
           ),
           EXISTS (SELECT FROM pg_stat_subscription AS w WHERE w.subid = s.oid AND w.pid IS NOT NULL)
    FROM pg_subscription AS s JOIN pg_subscription_rel AS r ON r.srsubid = s.oid WHERE s.subname = %s GROUP BY s.oid
"""
LIST_SUBSCRIPTIONS: Final = """
    SELECT subname, format('pg_%%s_sync_', s.oid), '_' || c.system_identifier
    FROM pg_subscription AS s CROSS JOIN pg_control_system() AS c
    WHERE starts_with(subname, %s) AND s.subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
DISABLE: Final = "ALTER SUBSCRIPTION {name} DISABLE"
FORGET_SLOT: Final = "ALTER SUBSCRIPTION {name} SET (slot_name = NONE)"
DROP_SUBSCRIPTION: Final = "DROP SUBSCRIPTION {name}"
# The slot of a move, and those of its workers that copy tables.
LIST_SLOTS: Final = """
    SELECT slot_name, active_pid FROM pg_replication_slots AS s
    WHERE database = current_database() AND (
        starts_with(slot_name, %s)
        OR EXISTS (
            SELECT FROM unnest(%s::text[], %s::text[]) AS sync (start, finish)
            WHERE starts_with(slot_name, start) AND right(slot_name, length(finish)) = finish
        )
    )
"""
END_SENDER: Final = "SELECT pg_terminate_backend(%s)"
DROP_SLOT: Final = "SELECT pg_drop_replication_slot(%s)"
# A separate transaction, so that all earlier ones are flushed and sent. Otherwise a position inside an open page is
# sent only with the next commit.
FLUSH: Final = "SELECT pg_logical_emit_message(true, 'tenancy_move', '')"
FIND_POSITION: Final = "SELECT pg_current_wal_flush_lsn()::text"
HAS_CONFIRMED: Final = """
    SELECT confirmed_flush_lsn >= %s::pg_lsn FROM pg_replication_slots
    WHERE slot_name = %s AND wal_status IS DISTINCT FROM 'lost'
"""


def name_of(move_id: UUID) -> str:
    """Return the name of the publication, the slot and the subscription of a move."""
    return f"{MOVE_PREFIX}{move_id.hex}"


def create_publication(owner: Connection, name: str, tables: Sequence[Table], organization_id: UUID) -> None:
    """Publish the rows of the organization in all *tables*.

    Raises:
        MoveError: a long transaction uses a table.
    """
    organization = sql.Literal(str(organization_id))
    published = [
        PUBLISHED_TABLE.format(
            table=sql.Identifier(table.name), column=sql.Identifier(table.column), organization=organization
        )
        for table in tables
    ]
    statement = sql.SQL(CREATE_PUBLICATION).format(name=sql.Identifier(name), tables=sql.SQL(", ").join(published))
    _with_patience(owner, statement)


def drop_publication(owner: Connection, name: str) -> None:
    """Drop the publication, if it is there."""
    _with_patience(owner, sql.SQL(DROP_PUBLICATION).format(name=sql.Identifier(name)))


def list_publications(conn: Connection) -> list[str]:
    """Return the publications of moves in the database."""
    return [name for (name,) in conn.execute(LIST_PUBLICATIONS, (MOVE_PREFIX,)).fetchall()]


def create_slot(source: Connection, name: str) -> None:
    """Make the slot that keeps the source's WAL from now on. It waits for the transactions that are open."""
    source.execute(CREATE_SLOT, (name,))


def create_subscription(target: Connection, name: str, publisher: str) -> None:
    """Begin to copy the published rows, and then to apply the changes."""
    statement = sql.SQL(CREATE_SUBSCRIPTION)
    target.execute(statement.format(name=sql.Identifier(name), publisher=sql.Literal(publisher)))


def await_copy(target: Connection, name: str, say: Callable[[str], None]) -> None:
    """Wait until all tables are copied.

    Raises:
        MoveError: the workers fail again and again, or do not start. The log of the target has the reason.
    """
    reported_at = worked_at = time.monotonic()
    least_left, forgiven = math.inf, 0
    while True:
        left, tables, errors, has_worker = _find_copy(target, name)
        if not left:
            return
        if left < least_left:
            least_left, forgiven = left, errors
        _require_few(errors - forgiven)
        if has_worker:
            worked_at = time.monotonic()
        elif time.monotonic() - worked_at > WORKERLESS_SECONDS:
            raise MoveError(WORKERLESS)
        if time.monotonic() - reported_at > REPORT_SECONDS:
            say(f"   {tables - left} of {tables} tables are copied")
            reported_at = time.monotonic()
        time.sleep(POLL_SECONDS)


def _find_copy(target: Connection, name: str) -> tuple[int, int, int, bool]:
    """Return the numbers of tables that are left, of all, and of errors of the workers, and whether a worker runs."""
    found: tuple[int, int, int, bool] | None = target.execute(FIND_COPY, (name,)).fetchone()
    if found is None:
        raise MoveError("The subscription is gone. Run the same command again.")
    return found


def _require_few(errors: int) -> None:
    """Check the number of errors since the last table was copied."""
    if errors >= MAX_ERRORS:
        raise MoveError(f"The copy failed {errors} times. The log of the target's PostgreSQL has the reason.")


def await_catch_up(source: Connection, target: Connection, name: str) -> None:
    """Wait, outside the fence, until the target has all that the source has committed until now.

    Raises:
        MoveError: the target is too slow, its worker fails again and again, or the slot is lost.
    """
    position, deadline = find_position(source), time.monotonic() + CATCH_UP_SECONDS
    *_, forgiven, _ = _find_copy(target, name)
    while not await_position(source, name, position, seconds=CHECK_SECONDS):
        *_, errors, _ = _find_copy(target, name)
        _require_few(errors - forgiven)
        if time.monotonic() > deadline:
            raise MoveError("The target did not catch up within an hour. Run again under less load.")


def find_position(source: Connection) -> str:
    """Return the position in the WAL after all that is committed. *source* is in no transaction."""
    source.execute(FLUSH)
    [position] = source.execute(FIND_POSITION).fetchone() or ("0/0",)
    return str(position)


def await_position(source: Connection, name: str, position: str, *, seconds: float) -> bool:
    """Wait until the target has applied and flushed *position*, for at most *seconds*.

    Return whether it has.

    Raises:
        MoveError: the slot is gone, or has lost WAL that the target needs.
    """
    deadline = time.monotonic() + seconds
    while (found := source.execute(HAS_CONFIRMED, (position, name)).fetchone()) != (True,):
        if found is None:
            raise MoveError("The replication slot is lost (max_slot_wal_keep_size). Run the same command again.")
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS / 4)
    return True


def end_replication(connections: Connections, names: Iterable[str], *, seconds: float = END_SECONDS) -> None:
    """Drop subscriptions and slots of moves in the databases *names*. Idempotent.

    Slots are dropped before their subscription, because the names of its workers' slots follow from its id. So the next
    run also finds the slots of a run that was killed in between.

    Raises:
        MoveError: a slot is in use for *seconds*.
    """
    names, deadline = list(names), time.monotonic() + seconds
    found: list[tuple[str, str]] = []
    workers: list[tuple[str, str]] = []
    for name in names:
        for subscription, start, finish in (
            connections.mover(name).execute(LIST_SUBSCRIPTIONS, (MOVE_PREFIX,)).fetchall()
        ):
            connections.mover(name).execute(sql.SQL(DISABLE).format(name=sql.Identifier(subscription)))
            found.append((name, subscription))
            workers.append((start, finish))
    for name in names:
        _drop_slots(connections.mover(name), workers, deadline)
    for name, subscription in found:
        for statement in (FORGET_SLOT, DROP_SUBSCRIPTION):
            connections.mover(name).execute(sql.SQL(statement).format(name=sql.Identifier(subscription)))
    for name in names if found else ():  # a worker may have made its slot meanwhile
        _drop_slots(connections.mover(name), workers, deadline)


def _drop_slots(conn: Connection, workers: Sequence[tuple[str, str]], deadline: float) -> None:
    starts, finishes = [start for start, _ in workers], [finish for _, finish in workers]
    while slots := conn.execute(LIST_SLOTS, (MOVE_PREFIX, starts, finishes)).fetchall():
        if time.monotonic() > deadline:
            raise MoveError(f"The replication slot {slots[0][0]} is still in use. Run the same command again.")
        for slot, sender in slots:
            with suppress(ObjectInUse, UndefinedObject), conn.transaction():
                if sender is None:
                    conn.execute(DROP_SLOT, (slot,))
                else:
                    conn.execute(END_SENDER, (sender,))
        if any(sender is not None for _, sender in slots):
            time.sleep(POLL_SECONDS)


def _with_patience(owner: Connection, statement: sql.Composed) -> None:
    for attempt in range(LOCK_ATTEMPTS):
        if attempt:
            time.sleep(LOCK_PAUSE_SECONDS)
        with suppress(LockNotAvailable), owner.transaction():
            owner.execute(LIMIT_LOCK_WAITS)
            owner.execute(statement)
            return
    raise MoveError("A long transaction uses a table. End it (pg_stat_activity shows it). Run the same command again.")
