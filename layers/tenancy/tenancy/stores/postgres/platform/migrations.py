"""PostgreSQL's schema version: the owner role applies migrations, one runner at a time."""

from typing import Final

from psycopg import sql

from tenancy.stores.postgres.client import Connection

CREATE_VERSIONS: Final = """
    CREATE TABLE IF NOT EXISTS schema_migrations (
        version integer PRIMARY KEY, name text NOT NULL, digest text NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now()
    )
"""
# Advisory locks are numbers; this one is the runner's, and ends with its transaction.
LOCK: Final = "SELECT pg_advisory_xact_lock(7236837201)"
LIST_VERSIONS: Final = "SELECT version, digest FROM schema_migrations"
INSERT_VERSION: Final = "INSERT INTO schema_migrations (version, name, digest) VALUES (%s, %s, %s)"


def lock_migrations(conn: Connection) -> None:
    """Wait until no other runner works, and keep others out until the transaction ends."""
    conn.execute(LOCK)


def list_versions(conn: Connection) -> dict[int, str]:
    """Return the applied versions and their digests; makes the table at the first call."""
    conn.execute(CREATE_VERSIONS)
    return dict(conn.execute(LIST_VERSIONS).fetchall())


def apply_migration(conn: Connection, version: int, name: str, digest: str, script: str) -> bool:
    """Run *script* (trusted text of the bundle) and note its version, both in the caller's transaction; True."""
    conn.execute(sql.SQL(script))  # pyright: ignore[reportArgumentType]  # a migration file of ours, never input
    conn.execute(INSERT_VERSION, (version, name, digest))
    return True
