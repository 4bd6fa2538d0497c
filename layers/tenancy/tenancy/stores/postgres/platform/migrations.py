"""The schema version of PostgreSQL. The owner role applies migrations, one runner at a time."""

from collections.abc import Sequence
from typing import Final

from psycopg import sql
from psycopg.errors import DeadlockDetected, LockNotAvailable

from tenancy.errors import DeploymentError
from tenancy.stores.postgres.client import Connection

CREATE_VERSIONS: Final = """
    CREATE TABLE IF NOT EXISTS schema_migrations (
        version integer PRIMARY KEY, name text NOT NULL, digest text NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now()
    )
"""
# Advisory locks are numbers. This one is the migrations' and ends with the transaction.
LOCK: Final = "SELECT pg_advisory_xact_lock(7236837201)"
# While a statement waits for the lock of a table, later statements on the table wait behind it. So it gives up soon.
LIMIT_LOCK_WAITS: Final = "SET LOCAL lock_timeout = '2s'"
LIST_MISSING_ROLES: Final = """
    SELECT name FROM unnest(%s::text[]) AS name WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)
    ORDER BY name
"""
LIST_VERSIONS: Final = "SELECT version, digest FROM schema_migrations"
INSERT_VERSION: Final = "INSERT INTO schema_migrations (version, name, digest) VALUES (%s, %s, %s)"


class TableInUseError(DeploymentError):
    """A long transaction uses a table that a migration changes.

    PostgreSQL is unchanged.
    """

    def __init__(self) -> None:
        """Name the next step."""
        super().__init__(
            "A long transaction uses a table of PostgreSQL that a migration changes. PostgreSQL is unchanged. End the"
            " transaction (pg_stat_activity shows it), then deploy again."
        )


def lock_migrations(conn: Connection) -> None:
    """Wait for other runners, and keep them waiting until the transaction ends."""
    conn.execute(LOCK)


def list_missing_roles(conn: Connection, names: Sequence[str]) -> list[str]:
    """Return those of *names* that are no roles."""
    return [name for (name,) in conn.execute(LIST_MISSING_ROLES, (list(names),)).fetchall()]


def list_versions(conn: Connection) -> dict[int, str]:
    """Return the applied versions and their digests. The first call creates the table."""
    conn.execute(CREATE_VERSIONS)
    return dict(conn.execute(LIST_VERSIONS).fetchall())


def apply_migration(conn: Connection, version: int, name: str, digest: str, script: str) -> None:
    """Run *script*, a trusted file of the bundle, and store its version.

    Both happen in the caller's transaction.

    Raises:
        TableInUseError: another transaction has used a table for 2 seconds. The caller's transaction must not commit.
    """
    conn.execute(LIMIT_LOCK_WAITS)
    try:
        conn.execute(sql.SQL(script))  # pyright: ignore[reportArgumentType]  # a migration file, never input
    except (DeadlockDetected, LockNotAvailable) as error:
        raise TableInUseError from error
    conn.execute(INSERT_VERSION, (version, name, digest))
