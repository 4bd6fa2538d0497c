"""Snapshots of rows and Redis keys, to find changes that other organizations caused."""

from typing import Any

import psycopg
import redis

from tests.given import Databases
from tests.handlers.functions import superuser
from tests.isolation.proof.discovery.tables import discover_clickhouse_tables, discover_tables

REDIS = "Redis"  # its keys may expire between two snapshots
LIST_ALL_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"

type Snapshot = dict[str, frozenset[str]]


def snapshot(databases: Databases, organization_id: object) -> Snapshot:
    """Return digests of an organization's rows by table, with None those of platform tables."""
    if organization_id is None:
        return _platform_tables(databases)
    return {
        **_postgres_tables(databases, organization_id),
        **_clickhouse_tables(databases, organization_id),
        REDIS: _redis(databases, organization_id),
    }


def changed_tables(before: Snapshot, after: Snapshot) -> list[str]:
    """Return the tables that differ, and Redis if it has a key that is new or has another value."""
    return [name for name in after if after[name] != before[name] and (name != REDIS or after[name] - before[name])]


def redis_keys(databases: Databases) -> dict[str, str]:
    """Return all Redis keys with their values."""
    with redis.Redis.from_url(databases.servers.valkey_url, decode_responses=True) as client:
        return {str(key): _hash_value(client, str(key)) for key in client.keys("*")}


def _hash_value(client: redis.Redis, key: str) -> str:
    """Return the fields of a key, which is a hash, or empty if it has expired."""
    fields: Any = client.hgetall(key)
    return repr(sorted(fields.items()))


def _platform_tables(databases: Databases) -> Snapshot:
    with superuser(databases) as conn:
        tenant_tables = {table.name for table in discover_tables(conn)}
        names = [name for (name,) in conn.execute(LIST_ALL_TABLES) if name not in tenant_tables]
        return {
            f"PostgreSQL {name}": _first_column(conn.execute(f"SELECT md5(t::text) FROM {name} AS t")) for name in names
        }


def _postgres_tables(databases: Databases, organization_id: object) -> Snapshot:
    rows = {}
    with superuser(databases) as conn:
        for table in discover_tables(conn):
            statement = f"SELECT md5(t::text) FROM {table.name} AS t WHERE {table.tenant_column} = %s"
            rows[f"PostgreSQL {table.name}"] = _first_column(conn.execute(statement, (organization_id,)))
    return rows


def _clickhouse_tables(databases: Databases, organization_id: object) -> Snapshot:
    rows = {}
    for table in discover_clickhouse_tables(databases):
        columns = ", ".join(f"toString({column.name})" for column in table.columns if not column.is_aggregate)
        statement = f"SELECT hex(MD5(concat_ws('|', {columns}))) FROM {table.name} WHERE organization_id = {{id:UUID}}"
        found = databases.clickhouse.query(statement, parameters={"id": str(organization_id)}).result_rows
        rows[f"ClickHouse {table.name}"] = frozenset(digest for (digest,) in found)
    return rows


def _redis(databases: Databases, organization_id: object) -> frozenset[str]:
    return frozenset(f"{key} {value}" for key, value in redis_keys(databases).items() if str(organization_id) in key)


def _first_column(cursor: psycopg.Cursor[Any]) -> frozenset[str]:
    return frozenset(value for (value,) in cursor)
