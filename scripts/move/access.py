"""The rights of `tenancy_mover`, for the time of one run.

Outside of a run the role has no password, may not log in, and has no right on any table. A killed run leaves its
password, which expires after a day. The next run replaces the password, and removes it at its end.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Final

import psycopg
from psycopg import sql

from scripts.move.databases import MOVER, Connection, Connections
from scripts.move.errors import MoveError
from scripts.move.tables import list_sequences, list_tables
from tenancy.rules.durations import LONGEST_MOVE
from tenancy.rules.homes import CATALOGUE

# RDS has the role rds_replication instead of the attribute REPLICATION.
FIND_POWERS: Final = """
    SELECT rolbypassrls OR rolsuper,
           rolreplication OR rolsuper OR EXISTS (
               SELECT FROM pg_roles AS rds
               WHERE rds.rolname = 'rds_replication' AND pg_has_role(r.oid, rds.oid, 'USAGE')
           ),
           pg_has_role(r.oid, 'pg_create_subscription', 'USAGE')
    FROM pg_roles AS r WHERE rolname = 'tenancy_mover'
"""
ROLE_MISSING: Final = (
    'The role tenancy_mover is missing in "{name}" or lacks {power}. Make it as docs/operations.md says ("Move an'
    ' organization").'
)
LOG_IN: Final = "ALTER ROLE tenancy_mover LOGIN PASSWORD {verifier} VALID UNTIL {end}"
LOG_OUT: Final = "ALTER ROLE tenancy_mover NOLOGIN PASSWORD NULL VALID UNTIL 'infinity'"
VERIFIER: Final = b"scram-sha-256"
OTHER_TABLES: Final = (
    "bucket_homes",
    "catalogue_entries",
    "leases",
    "moved_organizations",
    "organization_homes",
    "provisioning_requests",
    "roll_ups",
)
GRANT_TABLES: Final = "GRANT SELECT, INSERT, UPDATE, DELETE ON {tables} TO tenancy_mover"
GRANT_SEQUENCES: Final = "GRANT SELECT, UPDATE ON SEQUENCE {sequences} TO tenancy_mover"
GRANT_REST: Final = (
    "GRANT USAGE ON SCHEMA public TO tenancy_mover; GRANT CREATE ON DATABASE {database} TO tenancy_mover"
)
REVOKE: Final = """
    REVOKE ALL ON ALL TABLES IN SCHEMA public FROM tenancy_mover;
    REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM tenancy_mover;
    REVOKE ALL ON SCHEMA public FROM tenancy_mover;
    REVOKE ALL ON DATABASE {database} FROM tenancy_mover
"""
# The sessions of a run that was killed, which may still hold the fence.
END_SESSIONS: Final = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE usename = 'tenancy_mover' AND datname = current_database() AND pid <> pg_backend_pid()
      AND backend_type = 'client backend'
"""
RUN_LOCK: Final = 7236837202  # an advisory lock of the catalogue
LOCK_RUN: Final = "SELECT pg_try_advisory_lock(%s)"
UNLOCK_RUN: Final = "SELECT pg_advisory_unlock(%s)"
HAS_LOCK: Final = """
    SELECT EXISTS (
        SELECT FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND granted
          AND (classid::bigint << 32) + objid::bigint = %s
    )
"""
LOCK_SECONDS: Final = 3.0  # PostgreSQL notices the death of a run that was killed


@contextmanager
def only_run(connections: Connections) -> Iterator[None]:
    """Keep other runs out, until the block or the process ends.

    Raises:
        MoveError: another run is under way.
    """
    owner, deadline = connections.owner(CATALOGUE), time.monotonic() + LOCK_SECONDS
    while owner.execute(LOCK_RUN, (RUN_LOCK,)).fetchone() != (True,):
        if time.monotonic() > deadline:
            raise MoveError("Another move is under way. One runs at a time. Try again when it has ended.")
        time.sleep(LOCK_SECONDS / 30)
    try:
        yield
    finally:
        with suppress(psycopg.Error):
            owner.execute(UNLOCK_RUN, (RUN_LOCK,))


def require_only_run(connections: Connections) -> None:
    """Check that this run still has its lock, which ends with its connection.

    Raises:
        MoveError: it has lost the lock, so another run may be under way.
    """
    if connections.owner(CATALOGUE).execute(HAS_LOCK, (RUN_LOCK,)).fetchone() != (True,):
        raise MoveError("The connection to the catalogue was lost. Run the same command again.")


@contextmanager
def movers_access(connections: Connections) -> Iterator[None]:
    """Let `tenancy_mover` log in to all databases in the block, with its rights.

    Raises:
        MoveError: a database is unreachable, or lacks the role.
    """
    try:
        for name in connections.databases:
            _require_role(connections.administrator(name), name)
        for name in connections.databases:
            _grant(connections, name)
        for name in connections.databases:
            connections.mover(name).execute(END_SESSIONS)
        yield
    finally:
        left = [name for name in connections.databases if not _is_revoked(connections, name)]
    if left:
        names = ", ".join(left)
        raise MoveError(f"tenancy_mover may still log in to: {names}. Run: python -m scripts.move complete")


def _require_role(conn: Connection, name: str) -> None:
    found = conn.execute(FIND_POWERS).fetchone() or (False, False, False)
    powers = dict(zip(("BYPASSRLS", "REPLICATION", "pg_create_subscription"), found, strict=True))
    for power, has_it in powers.items():
        if not has_it:
            raise MoveError(ROLE_MISSING.format(name=name, power=power))


def _grant(connections: Connections, name: str) -> None:
    administrator, owner = connections.administrator(name), connections.owner(name)
    password, role = connections.password.encode(), MOVER.encode()
    end = (datetime.now(UTC) + LONGEST_MOVE).isoformat()
    verifier = administrator.pgconn.encrypt_password(password, role, VERIFIER).decode()
    administrator.execute(sql.SQL(LOG_IN).format(verifier=sql.Literal(verifier), end=sql.Literal(end)))
    tables = list_tables(owner)
    names = [*(table.name for table in tables), *OTHER_TABLES]
    owner.execute(sql.SQL(GRANT_TABLES).format(tables=_identifiers(names)))
    if sequences := list_sequences(owner, tables):
        owner.execute(sql.SQL(GRANT_SEQUENCES).format(sequences=_identifiers([each[2] for each in sequences])))
    owner.execute(sql.SQL(GRANT_REST).format(database=sql.Identifier(owner.info.dbname)))


def _is_revoked(connections: Connections, name: str) -> bool:
    """Revoke log-in and rights, and return whether that succeeded."""
    with suppress(MoveError, psycopg.Error):
        owner = connections.owner(name)
        connections.administrator(name).execute(LOG_OUT)
        owner.execute(sql.SQL(REVOKE).format(database=sql.Identifier(owner.info.dbname)))
        return True
    return False


def _identifiers(names: list[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))
