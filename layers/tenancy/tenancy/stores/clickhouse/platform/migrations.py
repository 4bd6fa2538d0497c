"""The schema version of ClickHouse. Each migration is one idempotent statement."""

import re
from typing import Final

from tenancy.stores.clickhouse.client import ACCESS_REFUSALS, Client, DatabaseError
from tenancy.stores.clickhouse.platform.shards import distribute_tables, storage_settings

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
FIND_DATABASE_ENGINE: Final = "SELECT engine FROM system.databases WHERE name = currentDatabase()"
# A table of a database with the engine Replicated exists on all replicas. Only its own engine replicates its rows.
REPLICATED_FORMS: Final = (
    (re.compile(r"\bENGINE = (?=\w*MergeTree\b)"), "ENGINE = Replicated"),
    (re.compile(r"\bnon_replicated_deduplication_window\b"), "replicated_deduplication_window"),
)


def list_versions(client: Client) -> dict[int, str]:
    """Return the applied versions and their digests. The first call creates the table.

    Raises:
        ClusterUserError: row policies would not apply on the servers of the cluster. Nothing else was created.
    """
    run_script(client, CREATE_VERSIONS)
    distribute_tables(client)
    return {int(version): str(digest) for version, digest in client.query(LIST_VERSIONS).result_rows}


def apply_migration(client: Client, version: int, name: str, digest: str, script: str) -> bool:
    """Run *script*, one idempotent statement, and then store its version.

    Returns:
        False if the script manages access and the server rejects that. Then nothing is changed or stored.
    """
    if not run_script(client, script):
        return False
    client.insert("schema_migrations", [[version, name, digest]], column_names=["version", "name", "digest"])
    return True


def run_script(client: Client, script: str) -> bool:
    """Run *script* in the database of the tables with rows. In a Replicated database, run its replicated form.

    Returns:
        False if it manages access and the server rejects that.
    """
    settings = storage_settings(client)
    try:
        client.command(replicate(script) if _is_replicated(client, settings) else script, settings=settings)
    except DatabaseError as error:
        if ACCESS_MANAGEMENT.match(script) and getattr(error, "code", None) in ACCESS_REFUSALS:
            return False
        raise
    return True


def replicate(script: str) -> str:
    """Return *script* for a Replicated database: each MergeTree becomes a ReplicatedMergeTree."""
    for pattern, replacement in REPLICATED_FORMS:
        script = pattern.sub(replacement, script)
    return script


def _is_replicated(client: Client, settings: dict[str, str]) -> bool:
    [(engine,)] = client.query(FIND_DATABASE_ENGINE, settings=settings).result_rows
    return bool(engine == "Replicated")
