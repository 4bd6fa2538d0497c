"""A read replica of PostgreSQL: its state, and reads from it.

A streaming replica replays the log of the primary, and returns the position and the time of its last replay. A reader
of Aurora shares the storage of its primary and replays no log. It has functions of AWS for its lag (User Guide of
Aurora, "aurora_replica_status"). pg_current_wal_insert_lsn() fails on Aurora unless its log is a logical one.
"""

import os
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from threading import Timer
from typing import Final

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tenancy.errors import AwsCallError, UnavailableError
from tenancy.rules.durations import (
    REPLICA_CONNECT_SECONDS,
    REPLICA_LAG_LIMIT,
    REPLICA_LONGEST_PAUSE_SECONDS,
    REPLICA_PAUSE_SECONDS,
    REPLICA_STATE_SECONDS,
    REPLICA_STATEMENT_SECONDS,
    REPLICA_TRANSACTION_SECONDS,
)
from tenancy.rules.homes import CATALOGUE, DatabaseListError, parse_databases
from tenancy.rules.replica_reads import ReplicaFault, ReplicaState, WriteMark, has_written, is_current
from tenancy.stores.postgres.client import Connection, Database, MovedError, UnboundRoleError
from tenancy.stores.postgres.homes import Homes

# A replica refuses writes by itself. The URL may name a primary, which has to refuse them, too.
PREPARE: Final = sql.SQL(
    "SET default_transaction_read_only = on; SET statement_timeout = {};"
    " SELECT to_regproc('aurora_replica_status') IS NOT NULL"
).format(sql.Literal(REPLICA_STATEMENT_SECONDS * 1000))
# A server that is not in recovery has no row. It may be a replica that was promoted: nobody knows how far it is behind.
FIND_STATE: Final = """
    SELECT false, pg_last_wal_replay_lsn() - '0/0'::pg_lsn,
           extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())
    WHERE pg_is_in_recovery()
"""
FIND_STATE_ON_AURORA: Final = """
    SELECT session_id = 'MASTER_SESSION_ID', NULL, replica_lag_in_msec / 1000.0
    FROM aurora_replica_status() WHERE server_id = aurora_db_instance_identifier()
"""
FIND_POSITION: Final = """
    SELECT CASE WHEN to_regproc('aurora_replica_status') IS NULL THEN pg_current_wal_insert_lsn() - '0/0'::pg_lsn END
"""
# Without the header of the next page of the log: on an idle primary the replica does not have it either.
FIND_FLUSHED_POSITION: Final = """
    SELECT CASE WHEN to_regproc('aurora_replica_status') IS NULL THEN pg_current_wal_flush_lsn() - '0/0'::pg_lsn END
"""
# Not taken over from the secret's URL: they would select the primary, or fail.
OF_THE_PRIMARY: Final = ("hostaddr", "target_session_attrs")
CONFLICTS_WITH_RECOVERY: Final = frozenset({"40001", "40P01"})  # another try may succeed at once


class ReplicaError(Exception):
    """The replica did not answer a read, which the primary can answer."""

    def __init__(self, fault: ReplicaFault) -> None:
        """Keep the *fault*."""
        super().__init__(f"The replica did not answer: {fault}.")
        self.fault = fault


def find_position(primary: Database) -> int | None:
    """Return the end of the log of a primary: each transaction that was committed ends before it.

    It is None where no replica replays the log.

    Raises:
        UnavailableError: the primary is unreachable.
    """
    [position] = primary.look_up(lambda conn: conn.execute(FIND_POSITION).fetchone()) or (None,)
    return None if position is None else int(position)


def _find_flushed_position(conn: Connection) -> int | None:
    [position] = conn.execute(FIND_FLUSHED_POSITION).fetchone() or (None,)
    return None if position is None else int(position)


class Replica:
    """A read replica of the catalogue, with the same user, so that a rotated password applies to both.

    Before each transaction the replica is asked for its state, on the connection of the transaction. So *address*
    must be that of servers, and of no proxy that distributes the transactions of a connection.
    """

    def __init__(self, find_secret: Callable[[], str], address: tuple[str, int], primary: Homes) -> None:
        """Connect to *address* at the first read, with user and password of `main` in the result of *find_secret*."""
        self._find_secret = find_secret
        self._address = address
        self._primary = primary
        self._database = Database(
            self._find_url, connect_seconds=REPLICA_CONNECT_SECONDS, watch=self._watch, prepare=self._require_ready
        )
        self._limit = _TimeLimit()
        self._has_tried_to_connect = False
        self._prepared: Connection | None = None
        self._is_on_aurora = False
        self._marks: Sequence[WriteMark | None] = ()
        self._paused_until = 0.0
        self._pause_fault = ReplicaFault.UNREACHABLE
        self._pause_seconds = REPLICA_PAUSE_SECONDS  # the next one
        self._sampled = 0, float("-inf"), float("-inf")  # a position of the primary, and its time by both clocks

    def read[Found](self, use: Callable[[Database], Found], marks: Sequence[WriteMark | None]) -> Found:
        """Return the result of *use*, which gets the replica and only reads.

        The replica has all writes that are older than `REPLICA_LAG_LIMIT`, and those of *marks*. If it was unreachable
        or too slow, it is not asked again for `REPLICA_PAUSE_SECONDS`. While it is unreachable, each pause is twice as
        long as the one before, up to `REPLICA_LONGEST_PAUSE_SECONDS`.

        Raises:
            ReplicaError: the replica cannot answer. *use* may have run in part.
            UnavailableError: another store than the replica is unreachable.
        """
        if time.monotonic() < self._paused_until:
            raise ReplicaError(self._pause_fault)
        self._marks = marks
        self._has_tried_to_connect = False
        try:
            found = use(self._database)
        except MovedError as error:
            raise ReplicaError(ReplicaFault.ELSEWHERE) from error
        except UnavailableError as error:
            cause = error.__cause__
            if not isinstance(cause, psycopg.Error):
                raise
            if cause.sqlstate in CONFLICTS_WITH_RECOVERY:
                raise ReplicaError(ReplicaFault.CANCELLED) from error
            is_slow = isinstance(cause, psycopg.errors.QueryCanceled)
            raise self._failed(ReplicaFault.CANCELLED if is_slow else ReplicaFault.UNREACHABLE) from error
        except psycopg.DataError as error:  # of a value of this caller, or of a new type: others can be answered
            raise ReplicaError(ReplicaFault.AWAITED) from error
        except (UnboundRoleError, psycopg.Error) as error:
            # A replica that has not replayed a migration lacks a table, a column or a right of it.
            raise self._failed(ReplicaFault.UNREACHABLE) from error
        finally:
            self._limit.end()
        self._pause_seconds = REPLICA_PAUSE_SECONDS
        return found

    def close(self) -> None:
        """Close the connection if it is open."""
        self._database.close()

    def _failed(self, fault: ReplicaFault) -> ReplicaError:
        """Return the error of a failed read, after which the replica is not asked for a while."""
        self._paused_until, self._pause_fault = time.monotonic() + self._pause_seconds, fault
        if fault == ReplicaFault.UNREACHABLE:
            self._pause_seconds = min(2 * self._pause_seconds, REPLICA_LONGEST_PAUSE_SECONDS)
        return ReplicaError(fault)

    def _find_url(self) -> str:
        """Return the URL of a connection that is about to open: one for a transaction, as each try takes seconds."""
        if self._has_tried_to_connect:
            raise self._failed(ReplicaFault.UNREACHABLE)
        self._has_tried_to_connect = True
        try:
            parts = conninfo_to_dict(parse_databases(self._find_secret())[CATALOGUE])
            parts["host"], parts["port"] = self._address
            return make_conninfo("", **{name: value for name, value in parts.items() if name not in OF_THE_PRIMARY})
        except (AwsCallError, DatabaseListError, UnavailableError, psycopg.ProgrammingError):
            # The text of the last one has the password.
            raise ReplicaError(ReplicaFault.UNREACHABLE) from None

    def _watch(self, conn: Connection) -> None:
        self._limit.begin(conn, REPLICA_STATE_SECONDS)

    def _require_ready(self, conn: Connection) -> None:
        """Check the state of the replica on a connection that is about to begin a transaction.

        Raises:
            ReplicaError: it is too far behind.
        """
        self._limit.begin(conn, REPLICA_STATE_SECONDS)
        if conn is not self._prepared:
            self._prepare(conn)
        state = self._find_state(conn)
        self._limit.begin(conn, REPLICA_TRANSACTION_SECONDS)
        self._has_tried_to_connect = False
        if not is_current(state) and not self._has_sampled_position(state):
            raise ReplicaError(ReplicaFault.LAG)
        if not has_written(state, self._marks, now=datetime.now(UTC)):
            raise ReplicaError(ReplicaFault.AWAITED)

    def _prepare(self, conn: Connection) -> None:
        cursor = conn.execute(PREPARE)
        while cursor.nextset():
            pass
        [self._is_on_aurora] = cursor.fetchone() or (False,)
        self._prepared = conn

    def _find_state(self, conn: Connection) -> ReplicaState:
        found = conn.execute(FIND_STATE_ON_AURORA if self._is_on_aurora else FIND_STATE).fetchone()
        is_primary, position, lag = found or (False, None, None)
        return ReplicaState(
            is_primary=is_primary,
            position=None if position is None else int(position),
            lag=None if lag is None else timedelta(seconds=float(lag)),
        )

    def _has_sampled_position(self, state: ReplicaState) -> bool:
        """Tell whether the replica has all that the primary had a short time before.

        While nothing is committed, the last replayed commit becomes old on a replica that is not behind. Then the
        primary is asked for its position, at most once in `REPLICA_LAG_LIMIT`. The monotonic clock may stand still
        while Lambda suspends the process, and the other clock may be set.

        Raises:
            UnavailableError: the primary is unreachable. It has no cause, so that the primary is not asked again.
        """
        if state.position is None:
            return False
        _, *sampled_at = self._sampled
        now = time.monotonic(), time.time()
        limit = REPLICA_LAG_LIMIT.total_seconds()
        if not all(0 <= each - before <= limit for each, before in zip(now, sampled_at, strict=True)):
            try:
                position = self._primary.catalogue.look_up(_find_flushed_position)
            except UnavailableError:
                raise UnavailableError("The database is unreachable.") from None
            if position is None:
                return False
            self._sampled = position, *now
        return state.position >= self._sampled[0]


class _TimeLimit:
    """Cuts a connection at the end of a time, because a frozen server enforces none.

    The statement that waits for the server then fails as if the connection had broken.
    """

    def __init__(self) -> None:
        self._timer: Timer | None = None
        self._socket: socket.socket | None = None

    def begin(self, conn: Connection, seconds: float) -> None:
        """Cut *conn* after *seconds*, and no other connection any more."""
        self.end()
        # A descriptor of its own, because that of a connection that has ended may be another's.
        self._socket = socket.socket(fileno=os.dup(conn.fileno()))
        self._timer = Timer(seconds, _cut, [self._socket])
        self._timer.daemon = True
        self._timer.start()

    def end(self) -> None:
        """Cut no connection any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer.join()
        if self._socket is not None:
            self._socket.close()
        self._timer = self._socket = None


def _cut(connected: socket.socket) -> None:
    with suppress(OSError):
        connected.shutdown(socket.SHUT_RDWR)
