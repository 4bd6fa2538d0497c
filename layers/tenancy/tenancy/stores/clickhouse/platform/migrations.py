"""ClickHouse's schema version: each migration is one statement that may run twice."""

import re
from typing import Final

from tenancy.stores.clickhouse.client import Client, DatabaseError

CREATE_VERSIONS: Final = """
    CREATE TABLE IF NOT EXISTS schema_migrations (
        version UInt32, name String, digest String, applied_at DateTime('UTC') DEFAULT now()
    ) ENGINE = ReplacingMergeTree(applied_at) ORDER BY version
"""
LIST_VERSIONS: Final = "SELECT version, digest FROM schema_migrations FINAL"
ACCESS_MANAGEMENT: Final = re.compile(
    r"(\s+|--[^\n]*\n)*((CREATE|ALTER|DROP)\s+(ROLE|USER|ROW\s+POLICY|SETTINGS\s+PROFILE|QUOTA)|GRANT|REVOKE)\b",
    re.IGNORECASE,
)
# ACCESS_STORAGE_READONLY, ACCESS_DENIED, UNKNOWN_ROLE (to create it was refused), no ACCESS_STORAGE_FOR_INSERTION
ACCESS_REFUSALS: Final = frozenset({495, 497, 511, 514})


def list_versions(client: Client) -> dict[int, str]:
    """Return the applied versions and their digests; makes the table at the first call."""
    client.command(CREATE_VERSIONS)
    return {int(version): str(digest) for version, digest in client.query(LIST_VERSIONS).result_rows}


def apply_migration(client: Client, version: int, name: str, digest: str, script: str) -> bool:
    """Run *script*, one statement that may run twice, and note its version after it.

    Returns:
        False when nothing was done or noted: the script manages access, which this server does not let us do.
    """
    if not run_script(client, script):
        return False
    client.insert("schema_migrations", [[version, name, digest]], column_names=["version", "name", "digest"])
    return True


def run_script(client: Client, script: str) -> bool:
    """Run *script*; return False when it manages access and the server refuses that."""
    try:
        client.command(script)
    except DatabaseError as error:
        if ACCESS_MANAGEMENT.match(script) and getattr(error, "code", None) in ACCESS_REFUSALS:
            return False
        raise
    return True
