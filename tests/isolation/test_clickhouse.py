"""Isolation in ClickHouse: the tenant reader's filter, and the row policies behind it.

The embedded engine cannot create roles and policies, but it applies policies of its configuration. So the condition of
the migrated policies is tested on the engine, and their statements are parsed and compared with the tables.
"""

import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from scripts.stack import processes
from scripts.stack.loopback import answers
from scripts.stack.processes import Launch
from tenancy.rules.stored_events import EventKey
from tenancy.rules.traced_events import TracedId
from tenancy.stores.clickhouse.client import (
    PLATFORM_TABLES,
    TENANT_TABLES,
    Client,
    DatabaseError,
    TenantReader,
    connect,
)
from tenancy.stores.clickhouse.platform.migrations import ACCESS_MANAGEMENT
from tenancy.stores.clickhouse.platform.tombstones import insert_tombstone
from tenancy.stores.clickhouse.stored_events import list_events_by_keys
from tenancy.stores.clickhouse.traced_events import trace_stored_events
from tenancy.use_cases.schema.migrate import read_migrations
from tests.free_ports import free_port
from tests.given import MIGRATIONS, NOW, ROOT, Databases

ACME = UUID("00000000-0000-4000-8000-00000000ac3e")
GLOBEX = UUID("00000000-0000-4000-8000-0000000010be")
UNKNOWN = "0f0f0f0f-0f0f-4f0f-8f0f-0f0f0f0f0f0f"
SCRIPTS = {migration.name: migration.script for migration in read_migrations(MIGRATIONS / "clickhouse")}
ACCESS_MIGRATIONS = [name for name, script in SCRIPTS.items() if ACCESS_MANAGEMENT.match(script)]
# Names the organization, as the reader requires, but does not filter by it.
UNFILTERED = "SELECT DISTINCT organization_id, {organization_id:UUID} AS named FROM "
INSERT = """
    INSERT INTO {table:Identifier} (organization_id, event_id, device_id, event_timestamp, received_at)
    SELECT {organization:UUID}, 'same', 'same', now(), now()
"""
INSERT_KEY = """
    INSERT INTO events (organization_id, event_id, event_name, device_id, event_timestamp, received_at)
    SELECT {organization:UUID}, 'same', {organization:String}, 'same', fromUnixTimestamp64Milli({time:Int64}, 'UTC'),
           fromUnixTimestamp64Milli({time:Int64}, 'UTC')
"""
USERS = """
    <clickhouse>
      <profiles><default/></profiles><quotas><default/></quotas>
      <users><default>
        <password/><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota>
        <databases><default>{policies}</default></databases>
      </default></users>
    </clickhouse>
"""
READY_SECONDS = 600.0  # a hang is a failure, a slow machine is not


class UnfilteredReader(TenantReader):
    """A tenant reader without its filter."""

    def _filters(self) -> str:
        return "{}"


def insert_rows(client: Client) -> None:
    """Insert the same rows for both organizations into every table."""
    for organization in (ACME, GLOBEX):
        for table in ("events", "held_events"):
            client.command(INSERT, parameters={"table": table, "organization": organization})
        statement = "INSERT INTO daily_statistics (organization_id) SELECT {organization:UUID}"
        client.command(statement, parameters={"organization": organization})
        insert_tombstone(client, organization, closed_at=NOW)


def test_reader_filters_every_tenant_table(databases: Databases) -> None:
    statement = "SELECT DISTINCT table FROM system.columns WHERE database = currentDatabase() AND name = {name:String}"

    found = databases.clickhouse.query(statement, parameters={"name": "organization_id"}).result_rows

    assert {table for (table,) in found} == {*TENANT_TABLES, *PLATFORM_TABLES}


def test_tenant_tables_are_sorted_by_organization_first(databases: Databases) -> None:
    statement = """
        SELECT table FROM system.columns AS c JOIN system.tables AS t ON t.database = c.database AND t.name = c.table
        WHERE c.database = currentDatabase() AND c.name = 'organization_id'
          AND (NOT startsWith(t.sorting_key, 'organization_id,') OR NOT startsWith(t.primary_key, 'organization_id,'))
    """

    assert databases.clickhouse.query(statement).result_rows == []


@pytest.mark.parametrize("value", [None, "", str(ACME), ACME.bytes, 0, UUID(int=0)])
def test_reader_requires_an_organization(databases: Databases, value: object) -> None:
    with pytest.raises(ValueError, match="one organization"):
        TenantReader(databases.clickhouse, value)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize("table", [*TENANT_TABLES, *PLATFORM_TABLES])
@pytest.mark.parametrize(
    "source",
    [
        "{table}",
        "{table} FINAL",
        "{table} AS e",
        "{database}.{table}",
        "(SELECT * FROM {table}) AS e",
        "system.one AS a CROSS JOIN {table} AS e",
    ],
)
def test_reader_filters_an_unfiltered_statement(databases: Databases, table: str, source: str) -> None:
    insert_rows(databases.clickhouse)
    statement = UNFILTERED + source.format(table=table, database=databases.name)

    for organization in (ACME, GLOBEX):
        assert TenantReader(databases.clickhouse, organization).query(statement) == [(organization, organization)]


@pytest.mark.parametrize(
    "source",
    [
        "events AS a CROSS JOIN held_events AS b",
        "events AS a CROSS JOIN (SELECT * FROM held_events WHERE 1) AS b",
        "events WHERE organization_id IN (SELECT organization_id FROM held_events)",
        "(SELECT organization_id FROM events UNION DISTINCT SELECT organization_id FROM daily_statistics)",
    ],
)
def test_reader_filters_joins_subqueries_and_unions(databases: Databases, source: str) -> None:
    insert_rows(databases.clickhouse)
    statement = f"SELECT count(), {{organization_id:UUID}} FROM {source}"

    assert TenantReader(databases.clickhouse, ACME).query(statement) == [(1, ACME)]


def test_statement_cannot_bind_another_organization(databases: Databases) -> None:
    insert_rows(databases.clickhouse)
    reader = TenantReader(databases.clickhouse, ACME)
    statement = "SELECT organization_id FROM events WHERE organization_id = {organization_id:UUID}"

    assert reader.query(statement, {"organization_id": str(GLOBEX)}) == [(ACME,)]


def test_reader_refuses_a_statement_without_organization(databases: Databases) -> None:
    with pytest.raises(ValueError, match="must name"):
        TenantReader(databases.clickhouse, ACME).query("SELECT count() FROM events")


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO daily_statistics (organization_id) SELECT {organization_id:UUID}",
        "ALTER TABLE events DELETE WHERE organization_id = {organization_id:UUID}",
        "TRUNCATE TABLE events -- {organization_id:UUID}",
        "CREATE TABLE stolen ENGINE = Memory AS SELECT * FROM events WHERE organization_id != {organization_id:UUID}",
        "SELECT {organization_id:UUID} FROM events SETTINGS additional_table_filters = {}",
        "SELECT {organization_id:UUID} SETTINGS readonly = 0",
    ],
)
def test_reader_can_change_neither_rows_nor_settings(databases: Databases, statement: str) -> None:
    with pytest.raises(DatabaseError) as refused:
        TenantReader(databases.clickhouse, ACME).query(statement)

    assert refused.value.code == 164  # READONLY


@pytest.mark.parametrize("setting", ["additional_table_filters = {}", f"log_comment = '{GLOBEX}'", "readonly = 0"])
def test_settings_of_a_subquery_have_no_effect(databases: Databases, setting: str) -> None:
    insert_rows(databases.clickhouse)
    reader = TenantReader(databases.clickhouse, ACME)
    columns = "organization_id, getSetting('log_comment'), getSetting('readonly')"
    statement = f"SELECT *, {{organization_id:UUID}} FROM (SELECT {columns} FROM events SETTINGS {setting})"

    assert reader.query(statement) == [(ACME, str(ACME), 1, ACME)]


def test_log_comment_of_a_query_is_the_organization(databases: Databases) -> None:
    statement = "SELECT getSetting('log_comment'), getSetting('readonly'), {organization_id:UUID}"

    assert TenantReader(databases.clickhouse, ACME).query(statement) == [(str(ACME), 1, ACME)]


# -------------------------------------------------------------------------------------------------------- row policies


def policy_condition() -> str:
    """Return the condition of the migrated policies for the role of readers."""
    [found] = re.findall(r"USING (.*) TO tenancy_reader\s*$", SCRIPTS["0007_reader_policies"])
    return str(found)


@pytest.fixture(scope="module")
def policy_engine() -> Iterator[Client]:
    """Start an engine whose configuration has the policies for its only user, and insert rows."""
    directory = Path(tempfile.mkdtemp(prefix="tenancy-policies-"))
    policies = "".join(f"<{table}><filter>{policy_condition()}</filter></{table}>" for table in TENANT_TABLES)
    (directory / "users.xml").write_text(USERS.format(policies=policies))
    configuration = f"<clickhouse><users_config>{directory}/users.xml</users_config></clickhouse>"
    (directory / "config.xml").write_text(configuration)
    launch = engine_launch(directory, port := free_port())
    try:
        processes.start(directory, launch)
        client = connect(f"http://127.0.0.1:{port}/default")
        for name, script in SCRIPTS.items():
            if name not in ACCESS_MIGRATIONS:
                client.command(script)
        insert_rows(client)
        yield client
        client.close()
    finally:
        processes.stop(directory, launch.name)
        shutil.rmtree(directory)


def engine_launch(directory: Path, port: int) -> Launch:
    path = f"{directory}/data?config-file={directory}/config.xml"  # the engine reads its options from the path
    return Launch(
        name="policy-engine",
        command=[sys.executable, "-m", "scripts.stack.clickhouse_front", "--path", path, "--port", str(port)],
        environment={"PATH": str(Path(sys.executable).parent), "HOME": str(directory)},
        working_directory=ROOT,
        is_ready=lambda: answers(f"http://127.0.0.1:{port}/ping", seconds=2),
        ready_seconds=READY_SECONDS,
    )


@pytest.mark.parametrize("table", TENANT_TABLES)
def test_policies_show_only_the_tenants_rows(policy_engine: Client, table: str) -> None:
    statement = f"SELECT DISTINCT organization_id FROM {table} FINAL"

    for organization in (ACME, GLOBEX, ACME):  # alternating, because the engine caches conditions
        settings = {"log_comment": str(organization), "readonly": 1}
        assert policy_engine.query(statement, settings=settings).result_rows == [(organization,)]


@pytest.mark.parametrize("table", TENANT_TABLES)
@pytest.mark.parametrize("log_comment", ["", "x", UNKNOWN, f"{ACME}' OR 1 --", str(UUID(int=0)), None])
def test_policies_show_no_rows_without_a_tenant(policy_engine: Client, table: str, log_comment: str | None) -> None:
    settings = {} if log_comment is None else {"log_comment": log_comment}

    assert policy_engine.query(f"SELECT organization_id FROM {table} FINAL", settings=settings).result_rows == []


def test_policies_apply_to_the_merge_function(policy_engine: Client) -> None:
    statement = "SELECT DISTINCT organization_id FROM merge(currentDatabase(), '^events$')"

    assert policy_engine.query(statement, settings={"log_comment": str(ACME)}).result_rows == [(ACME,)]


def test_reader_works_under_the_policies(policy_engine: Client) -> None:
    assert TenantReader(policy_engine, ACME).query(UNFILTERED + "events") == [(ACME, ACME)]


def test_policies_use_the_primary_index(policy_engine: Client) -> None:
    many = """
        INSERT INTO events (organization_id, event_id, device_id, event_timestamp, received_at)
        SELECT if(number % 2, {acme:UUID}, {globex:UUID}), toString(number), 'd', now(), now() FROM numbers(100000)
    """
    policy_engine.command(many, parameters={"acme": ACME, "globex": GLOBEX})

    explained = policy_engine.query(
        "EXPLAIN indexes = 1 SELECT count() FROM events", settings={"log_comment": str(ACME)}
    )

    plan = "\n".join(line for (line,) in explained.result_rows)
    granules = re.findall(r"PrimaryKey.*?Granules: (\d+)/(\d+)", plan, re.DOTALL)
    assert granules
    assert sum(int(read) for read, _ in granules) < sum(int(total) for _, total in granules)


def test_migrations_grant_only_select_to_readers() -> None:
    grants = SCRIPTS[ACCESS_MIGRATIONS[1]]

    assert re.findall(r"(\w+) ON (\w+)", grants) == [("SELECT", table) for table in TENANT_TABLES]


def test_migrations_create_policies_on_every_tenant_table() -> None:
    for_others, for_readers = (SCRIPTS[name] for name in ACCESS_MIGRATIONS[2:])

    for script in (for_others, for_readers):
        [tables] = re.findall(r"^CREATE ROW POLICY IF NOT EXISTS \w+ ON (.+)$", script, re.MULTILINE)
        assert tables.split(", ") == list(TENANT_TABLES)
    assert "USING 1 TO ALL EXCEPT tenancy_reader" in for_others


@pytest.mark.parametrize("name", ACCESS_MIGRATIONS)
def test_engine_parses_access_migrations(databases: Databases, name: str) -> None:
    described = databases.clickhouse.query(f"EXPLAIN AST {SCRIPTS[name]}").result_rows

    assert re.search(r"CreateRoleQuery|CREATE ROLE|GrantQuery|ROW POLICY", str(described))


def test_key_finds_the_event_of_its_own_organization(databases: Databases) -> None:
    key = EventKey(1_795_000_000_000, "same", "same")
    for organization in (ACME, GLOBEX):
        databases.clickhouse.command(INSERT_KEY, parameters={"organization": organization, "time": key.event_timestamp})

    for organization in (ACME, GLOBEX):
        found = list_events_by_keys(UnfilteredReader(databases.clickhouse, organization), [key])
        assert [event.event_name for event in found.values()] == [str(organization)]


def test_trace_finds_events_of_its_own_organization(databases: Databases) -> None:
    time = 1_795_000_000_000
    databases.clickhouse.command(INSERT_KEY, parameters={"organization": GLOBEX, "time": time})
    asked = [TracedId(event_id="same"), TracedId(event_id="same", device_id="same", event_timestamp=time)]

    found = [trace_stored_events(UnfilteredReader(databases.clickhouse, own), asked, since=0) for own in (ACME, GLOBEX)]

    assert [sorted(each) for each in found] == [[], [0, 1]]
