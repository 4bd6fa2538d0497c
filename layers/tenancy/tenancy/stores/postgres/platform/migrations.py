"""The schemas' versions: which migrations each store has, applied by the owner role, one runner at a time."""

import re
from typing import Final

from psycopg import sql

from tenancy.stores.clickhouse.client import Client, DatabaseError
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

CREATE_CLICKHOUSE_VERSIONS: Final = """
    CREATE TABLE IF NOT EXISTS schema_migrations (
        version UInt32, name String, digest String, applied_at DateTime('UTC') DEFAULT now()
    ) ENGINE = ReplacingMergeTree(applied_at) ORDER BY version
"""
LIST_CLICKHOUSE_VERSIONS: Final = "SELECT version, digest FROM schema_migrations FINAL"
ACCESS_MANAGEMENT: Final = re.compile(
    r"(\s+|--[^\n]*\n)*((CREATE|ALTER|DROP)\s+(ROLE|USER|ROW\s+POLICY|SETTINGS\s+PROFILE|QUOTA)|GRANT|REVOKE)\b",
    re.IGNORECASE,
)
# ACCESS_STORAGE_READONLY, ACCESS_DENIED, UNKNOWN_ROLE (to create it was refused), no ACCESS_STORAGE_FOR_INSERTION
ACCESS_REFUSALS: Final = frozenset({495, 497, 511, 514})


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


def list_clickhouse_versions(client: Client) -> dict[int, str]:
    """Return the applied versions and their digests; makes the table at the first call."""
    client.command(CREATE_CLICKHOUSE_VERSIONS)
    return {int(version): str(digest) for version, digest in client.query(LIST_CLICKHOUSE_VERSIONS).result_rows}


def apply_clickhouse_migration(client: Client, version: int, name: str, digest: str, script: str) -> bool:
    """Run *script*, one statement that may run twice, and note its version after it.

    Returns:
        False when nothing was done or noted: the script manages access, which this server does not let us do.
    """
    if not run_clickhouse_script(client, script):
        return False
    client.insert("schema_migrations", [[version, name, digest]], column_names=["version", "name", "digest"])
    return True


def run_clickhouse_script(client: Client, script: str) -> bool:
    """Run *script*; return False when it manages access and the server refuses that."""
    try:
        client.command(script)
    except DatabaseError as error:
        if ACCESS_MANAGEMENT.match(script) and getattr(error, "code", None) in ACCESS_REFUSALS:
            return False
        raise
    return True
