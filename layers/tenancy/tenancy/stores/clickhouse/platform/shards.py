"""The two databases of a cluster with shards (docs/decisions/0085-clickhouse-shards.md).

The database `<name>_shards` has the tables of each shard. The database `<name>`, which the code names, has a
Distributed table for each of them. Without the first database, that of the code has its own tables.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, LiteralString

from tenancy.errors import DeploymentError
from tenancy.stores.clickhouse.client import ACCESS_REFUSALS, SHARDS_SUFFIX, Client, DatabaseError

FIND_STORAGE: Final = "SELECT name FROM system.databases WHERE name = currentDatabase() || {suffix:String}"
LIST_COLUMNS: Final = """
    SELECT table, groupArray((name, type, default_kind, default_expression)) FROM (
        SELECT * FROM system.columns WHERE database = {database:String} ORDER BY table, position
    )
    GROUP BY table ORDER BY table
"""
# A table with another number would look for organizations on other shards. So new tables get the number of old ones.
FIND_SHARD_COUNT: Final = """
    SELECT extract(engine_full, '% (?:_CAST\\\\()?([0-9]+)') FROM system.tables
    WHERE database = currentDatabase() AND engine = 'Distributed' ORDER BY name LIMIT 1
"""
COUNT_SHARDS: Final = "SELECT uniqExact(shard_num) FROM system.clusters WHERE cluster = {storage:String}"
# The remainder is the number of the shard, from 0 on, in the order of the shards' names.
BY_ORGANIZATION: Final = """
    ENGINE = Distributed({storage:String}, {storage:String}, {table:String},
                         cityHash64(organization_id) % {shards:UInt32})
"""
CREATE_DISTRIBUTED: Final[Mapping[str, LiteralString]] = MappingProxyType(
    {
        "events": "CREATE OR REPLACE TABLE {database:Identifier}.events AS events" + BY_ORGANIZATION,
        "held_events": "CREATE OR REPLACE TABLE {database:Identifier}.held_events AS held_events" + BY_ORGANIZATION,
        "daily_statistics": "CREATE OR REPLACE TABLE {database:Identifier}.daily_statistics AS daily_statistics"
        + BY_ORGANIZATION,
        "tombstones": "CREATE OR REPLACE TABLE {database:Identifier}.tombstones AS tombstones" + BY_ORGANIZATION,
        "schema_migrations": """
            CREATE OR REPLACE TABLE {database:Identifier}.schema_migrations AS schema_migrations
            ENGINE = Distributed({storage:String}, {storage:String}, {table:String}, version % {shards:UInt32})
        """,
    }
)
# The row policies are on the tables of the shards. ClickHouse refuses to read a Distributed table that has one.
GRANT_READER: Final = "GRANT SELECT ON events, SELECT ON held_events, SELECT ON daily_statistics TO tenancy_reader"
LIST_OTHER_USERS: Final = """
    SELECT DISTINCT currentUser() FROM clusterAllReplicas({storage:Identifier}, system.one)
    WHERE currentUser() != {user:String}
"""
FIND_USER: Final = "SELECT currentUser()"


class ClusterUserError(DeploymentError):
    """A server of the cluster runs queries of another server as its own user. Row policies would not apply."""

    def __init__(self, cluster: str, user: str) -> None:
        """Name the *cluster*, that *user*, and the next step."""
        super().__init__(
            f"The servers of the ClickHouse cluster {cluster} query each other as the user {user}, so row policies do"
            ' not apply. Set a cluster secret, as docs/clickhouse.md says ("Set up shards"). Then deploy again.'
        )


def find_storage_database(client: Client) -> str | None:
    """Return the database with the tables of each shard, or None without shards."""
    rows = client.query(FIND_STORAGE, parameters={"suffix": SHARDS_SUFFIX}).result_rows
    return str(rows[0][0]) if rows else None


def storage_settings(client: Client) -> dict[str, str]:
    """Return the settings of a statement that names the tables with the rows, and not the Distributed tables."""
    storage = find_storage_database(client)
    return {} if storage is None else {"database": storage}


def distribute_tables(client: Client) -> None:
    """Make a Distributed table for each table of the shards. Without shards, do nothing.

    Idempotent. A Distributed table has no rows. It is replaced if its columns differ.

    Raises:
        ClusterUserError: the cluster has no secret. No table was made.
    """
    storage = find_storage_database(client)
    if storage is None:
        return
    _require_own_user(client, storage)
    own, stored = _list_columns(client, client.database or ""), _list_columns(client, storage)
    parameters = {"database": client.database, "storage": storage, "shards": _count_shards(client, storage)}
    for table, statement in CREATE_DISTRIBUTED.items():
        if table in stored and own.get(table) != stored[table]:
            client.command(statement, parameters={**parameters, "table": table}, settings={"database": storage})


def grant_distributed_tables(client: Client) -> None:
    """Let readers read the Distributed tables. Without shards, or on a server that rejects it, do nothing."""
    if find_storage_database(client) is None:
        return
    try:
        client.command(GRANT_READER)
    except DatabaseError as error:
        if getattr(error, "code", None) not in ACCESS_REFUSALS:
            raise


def _require_own_user(client: Client, storage: str) -> None:
    [(user,)] = client.query(FIND_USER).result_rows
    others = client.query(LIST_OTHER_USERS, parameters={"storage": storage, "user": user}).result_rows
    if others:
        raise ClusterUserError(storage, others[0][0])


def _list_columns(client: Client, database: str) -> Mapping[str, Any]:
    return {str(table): found for table, found in client.query(LIST_COLUMNS, {"database": database}).result_rows}


def _count_shards(client: Client, storage: str) -> int:
    rows = (
        client.query(FIND_SHARD_COUNT).result_rows
        or client.query(COUNT_SHARDS, parameters={"storage": storage}).result_rows
    )
    return int(rows[0][0])
