"""ClickHouse's walls: the reader that belongs to one organization, and the row policies behind it.

The embedded engine lets nobody make roles or policies. It does apply policies that its configuration brings along: so
the condition of the migration is proven on the engine, and of the statements around it that the engine can parse them
and that they cover every table.
"""

import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from scripts.stack import processes
from scripts.stack.loopback import answers
from scripts.stack.processes import Launch
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
from tenancy.use_cases.schema.migrate import read_migrations
from tests.given import MIGRATIONS, NOW, ROOT, Databases, free_port

ACME = UUID("00000000-0000-4000-8000-00000000ac3e")
GLOBEX = UUID("00000000-0000-4000-8000-0000000010be")
SCRIPTS = {migration.name: migration.script for migration in read_migrations(MIGRATIONS / "clickhouse")}
ACCESS = [name for name, script in SCRIPTS.items() if ACCESS_MANAGEMENT.match(script)]
FORGETFUL = "SELECT DISTINCT organization_id, {organization_id:UUID} AS named FROM "
INSERT = """
    INSERT INTO {table:Identifier} (organization_id, event_id, device_id, event_timestamp, received_at)
    SELECT {organization:UUID}, 'same', 'same', now(), now()
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


def fill(client: Client) -> None:
    for organization in (ACME, GLOBEX):
        for table in ("events", "held_events"):
            client.command(INSERT, parameters={"table": table, "organization": organization})
        statement = "INSERT INTO daily_statistics (organization_id) SELECT {organization:UUID}"
        client.command(statement, parameters={"organization": organization})
        insert_tombstone(client, organization, closed_at=NOW)


def test_a_reader_filters_every_table_that_has_organizations(databases: Databases) -> None:
    statement = "SELECT DISTINCT table FROM system.columns WHERE database = currentDatabase() AND name = {name:String}"
    found = databases.clickhouse.query(statement, parameters={"name": "organization_id"}).result_rows
    assert {table for (table,) in found} == {*TENANT_TABLES, *PLATFORM_TABLES}


def test_every_table_that_has_organizations_is_sorted_by_them_first(databases: Databases) -> None:
    statement = """
        SELECT table FROM system.columns AS c JOIN system.tables AS t ON t.database = c.database AND t.name = c.table
        WHERE c.database = currentDatabase() AND c.name = 'organization_id'
          AND (NOT startsWith(t.sorting_key, 'organization_id,') OR NOT startsWith(t.primary_key, 'organization_id,'))
    """
    assert databases.clickhouse.query(statement).result_rows == []


# ---------------------------------------------------------------------------------------------------------- the reader


@pytest.mark.parametrize("nobody", [None, "", str(ACME), ACME.bytes, 0, UUID(int=0)])
def test_no_reader_is_made_without_an_organization(databases: Databases, nobody: object) -> None:
    with pytest.raises(ValueError, match="one organization"):
        TenantReader(databases.clickhouse, nobody)  # type: ignore[arg-type]  # that is the point


@pytest.mark.parametrize("table", [*TENANT_TABLES, *PLATFORM_TABLES])
@pytest.mark.parametrize(
    "source", ["{table}", "{table} FINAL", "{table} AS e", "{database}.{table}", "(SELECT * FROM {table}) AS e"]
)
def test_a_reader_shows_its_tenants_rows_alone_where_a_statement_forgets(
    databases: Databases, table: str, source: str
) -> None:
    fill(databases.clickhouse)
    statement = FORGETFUL + source.format(table=table, database=databases.name)
    for organization in (ACME, GLOBEX):
        assert TenantReader(databases.clickhouse, organization).query(statement) == [(organization, organization)]


@pytest.mark.parametrize(
    "source",
    [
        "events AS a CROSS JOIN held_events AS b",
        "events WHERE organization_id IN (SELECT organization_id FROM held_events)",
        "(SELECT organization_id FROM events UNION DISTINCT SELECT organization_id FROM daily_statistics)",
    ],
)
def test_joins_sub_queries_and_unions_are_filtered_as_well(databases: Databases, source: str) -> None:
    fill(databases.clickhouse)
    statement = f"SELECT count(), {{organization_id:UUID}} FROM {source}"
    assert TenantReader(databases.clickhouse, ACME).query(statement) == [(1, ACME)]


def test_a_statement_cannot_bind_another_organization(databases: Databases) -> None:
    fill(databases.clickhouse)
    reader = TenantReader(databases.clickhouse, ACME)
    statement = "SELECT organization_id FROM events WHERE organization_id = {organization_id:UUID}"
    assert reader.query(statement, {"organization_id": str(GLOBEX)}) == [(ACME,)]


def test_a_statement_names_the_organization(databases: Databases) -> None:
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
def test_a_reader_only_reads_and_its_settings_stay(databases: Databases, statement: str) -> None:
    with pytest.raises(DatabaseError) as refused:
        TenantReader(databases.clickhouse, ACME).query(statement)
    assert refused.value.code == 164  # READONLY


@pytest.mark.parametrize("setting", ["additional_table_filters = {}", f"log_comment = '{GLOBEX}'", "readonly = 0"])
def test_settings_of_a_sub_query_have_no_effect(databases: Databases, setting: str) -> None:
    fill(databases.clickhouse)
    reader = TenantReader(databases.clickhouse, ACME)
    seen = "organization_id, getSetting('log_comment'), getSetting('readonly')"
    statement = f"SELECT *, {{organization_id:UUID}} FROM (SELECT {seen} FROM events SETTINGS {setting})"
    assert reader.query(statement) == [(ACME, str(ACME), 1, ACME)]


def test_a_query_is_marked_with_its_organization(databases: Databases) -> None:
    statement = "SELECT getSetting('log_comment'), getSetting('readonly'), {organization_id:UUID}"
    assert TenantReader(databases.clickhouse, ACME).query(statement) == [(str(ACME), 1, ACME)]


# ------------------------------------------------------------------------------------------------------- row policies


def condition() -> str:
    """Return the condition under which the migration shows rows to the role of readers."""
    [found] = re.findall(r"USING (.*) TO tenancy_reader\s*$", SCRIPTS["0007_reader_policies"])
    return str(found)


@pytest.fixture
def policed() -> Iterator[Client]:
    """Start an engine whose one user is under the readers' policies, as its configuration says."""
    directory = Path(tempfile.mkdtemp(prefix="tenancy-policies-"))
    policies = "".join(f"<{table}><filter>{condition()}</filter></{table}>" for table in TENANT_TABLES)
    (directory / "users.xml").write_text(USERS.format(policies=policies))
    configuration = f"<clickhouse><users_config>{directory}/users.xml</users_config></clickhouse>"
    (directory / "config.xml").write_text(configuration)
    port = free_port()
    # The engine takes its options behind its path.
    path = f"{directory}/data?config-file={directory}/config.xml"
    launch = Launch(
        name="policed",
        command=[sys.executable, "-m", "scripts.stack.clickhouse_front", "--path", path, "--port", str(port)],
        environment={"PATH": str(Path(sys.executable).parent), "HOME": str(directory)},
        working_directory=ROOT,
        is_ready=lambda: answers(f"http://127.0.0.1:{port}/ping", seconds=2),
        ready_seconds=60,
    )
    try:
        processes.start(directory, launch)
        client = connect(f"http://127.0.0.1:{port}/default")
        for name, script in SCRIPTS.items():
            if name not in ACCESS:
                client.command(script)
        yield client
        client.close()
    finally:
        processes.stop(directory, launch.name)
        shutil.rmtree(directory)


def test_policies_show_a_reader_its_tenants_rows_without_any_other_wall(policed: Client) -> None:
    fill(policed)
    for table in TENANT_TABLES:
        statement = f"SELECT organization_id FROM {table} FINAL"
        for organization in (ACME, GLOBEX, ACME):  # in turns, because the engine caches conditions
            settings = {"log_comment": str(organization), "readonly": 1}
            assert policed.query(statement, settings=settings).result_rows == [(organization,)]
        for nobody in ("", "x", str(uuid4()), f"{ACME}' OR 1 --", str(UUID(int=0))):
            assert policed.query(statement, settings={"log_comment": nobody}).result_rows == []
        assert policed.query(statement).result_rows == []
    through = "SELECT organization_id FROM merge(currentDatabase(), '^events$')"
    assert policed.query(through, settings={"log_comment": str(ACME)}).result_rows == [(ACME,)]
    assert TenantReader(policed, ACME).query(FORGETFUL + "events") == [(ACME, ACME)]


def test_policies_read_no_more_than_the_tenants_part_of_the_index(policed: Client) -> None:
    many = """
        INSERT INTO events (organization_id, event_id, device_id, event_timestamp, received_at)
        SELECT if(number % 2, {acme:UUID}, {globex:UUID}), toString(number), 'd', now(), now() FROM numbers(100000)
    """
    policed.command(many, parameters={"acme": ACME, "globex": GLOBEX})
    settings = {"log_comment": str(ACME)}
    plan = policed.query("EXPLAIN indexes = 1 SELECT count() FROM events", settings=settings).result_rows
    [granules] = re.findall(r"PrimaryKey.*?Granules: (\d+)/(\d+)", "\n".join(line for (line,) in plan), re.DOTALL)
    assert int(granules[0]) < int(granules[1])


def test_the_migrations_police_every_table_and_grant_reading_alone() -> None:
    grants, everyone, own = (SCRIPTS[name] for name in ACCESS[1:])
    assert re.findall(r"(\w+) ON (\w+)", grants) == [("SELECT", table) for table in TENANT_TABLES]
    for script in (everyone, own):
        [tables] = re.findall(r"^CREATE ROW POLICY IF NOT EXISTS \w+ ON (.+)$", script, re.MULTILINE)
        assert tables.split(", ") == list(TENANT_TABLES)
    assert "USING 1 TO ALL EXCEPT tenancy_reader" in everyone


@pytest.mark.parametrize("name", ACCESS)
def test_the_engine_can_parse_what_it_refuses_to_do(databases: Databases, name: str) -> None:
    described = databases.clickhouse.query(f"EXPLAIN AST {SCRIPTS[name]}").result_rows
    assert re.search(r"CreateRoleQuery|CREATE ROLE|GrantQuery|ROW POLICY", str(described))
