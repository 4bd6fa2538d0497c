"""The migrations upgrade a database of the previous release with its rows."""

import re
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from psycopg import sql

from scripts.stack import postgres
from tenancy.stores.clickhouse.client import Client, connect
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.platform.migrations import TableInUseError
from tenancy.use_cases.schema import migrate as migrating
from tenancy.use_cases.schema.migrate import migrate
from tests.given import MIGRATIONS, ROOT, Servers

COMPOSITE = "0019_composite_keys.sql"
MIGRATIONS_BEFORE = 12  # PostgreSQL migrations of the previous release
INSERT = "INSERT INTO organizations (id, name, subdomain, gateway_key) VALUES (gen_random_uuid(), %s, %s, %s)"
INSERT_KEY = """
    INSERT INTO api_keys (id, organization_id, type, name, digest, hint, scopes)
    SELECT gen_random_uuid(), id, 'sk', 'x', sha256(subdomain::bytea), 'x', '{}' FROM organizations
"""
# Statements of the release before. Their conflict is that of its primary key.
INSERT_REFUSAL = """
    INSERT INTO audit_refusals (
        id, organization_id, occurred_at, actor_kind, actor_id, action, target, code, request_id, source_address
    )
    VALUES (%(id)s, %(organization)s, now(), 'key', %(id)s, 'x', 'x', 'x', 'x', 'x')
    ON CONFLICT (id) DO NOTHING
"""
INSERT_RECORD = """
    INSERT INTO audit_log (
        id, organization_id, occurred_at, actor_kind, actor_id, action, target, outcome, code, count, request_id,
        personal_digest
    )
    VALUES (%(id)s, %(organization)s, now(), 'key', %(id)s, 'x', 'x', 'done', '', 1, 'x', sha256('x'))
    ON CONFLICT (id) DO NOTHING
"""
LIST_KEY_INDEXES = """
    SELECT relname, oid FROM pg_class
    WHERE relname = ANY (%s) AND relkind = 'i' AND relnamespace = 'public'::regnamespace
"""
COUNT_WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'users'::regclass"
FIND_COPIES = """
    SELECT tablename || '.' || attname FROM pg_stats WHERE histogram_bounds::text LIKE '%canary%' ORDER BY 1
"""


@pytest.fixture(scope="module")
def old_template(
    servers: Servers, clickhouse_admin: Client, database_names: Iterator[str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Yield the name of empty databases of the previous release, which each test clones."""
    name, before = next(database_names), tmp_path_factory.mktemp("previous") / "before"
    shutil.copytree(MIGRATIONS, before)
    for file in sorted((before / "postgres").glob("*.sql"))[MIGRATIONS_BEFORE:]:
        file.unlink()
    create_database(servers, name, "template0")
    clickhouse_admin.command(f"CREATE DATABASE {name}")
    client = connect(servers.clickhouse_url(name))
    owner = Database(lambda: servers.postgres_url(postgres.OWNER, name), as_owner=True)
    migrate(owner, client, before)
    owner.close()
    client.close()
    yield name
    clickhouse_admin.command(f"DROP DATABASE {name} SYNC")


@pytest.fixture
def old_database(
    servers: Servers, clickhouse_admin: Client, database_names: Iterator[str], old_template: str
) -> Iterator[tuple[psycopg.Connection[Any], Callable[..., object]]]:
    """Yield a connection to a database of the previous release and a function that upgrades it."""
    name = next(database_names)
    create_database(servers, name, old_template)
    clickhouse_admin.command(f"CREATE DATABASE {name}")
    for (table,) in clickhouse_admin.query(f"SHOW TABLES FROM {old_template}").result_rows:
        clickhouse_admin.command(f"CREATE TABLE {name}.{table} AS {old_template}.{table}")
    client = connect(servers.clickhouse_url(name))
    owner = Database(lambda: servers.postgres_url(postgres.OWNER, name), as_owner=True)
    with psycopg.connect(servers.superuser_url, dbname=name, autocommit=True) as conn:
        yield conn, lambda **options: migrate(owner, client, MIGRATIONS, **options)
    owner.close()
    client.close()
    clickhouse_admin.command(f"DROP DATABASE {name} SYNC")


def create_database(servers: Servers, name: str, template: str) -> None:
    with psycopg.connect(servers.superuser_url, autocommit=True) as conn:
        identifiers = map(sql.Identifier, (name, postgres.OWNER, template))
        conn.execute(sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {} STRATEGY FILE_COPY").format(*identifiers))


def test_upgrade_removes_copies_of_rows_in_statistics(
    old_database: tuple[psycopg.Connection[Any], Callable[..., object]],
) -> None:
    """ANALYZE copies addresses and names into pg_statistic."""
    conn, upgrade = old_database
    for number in range(50):
        conn.execute(INSERT, (f"canary {number}", f"canary-{number}", f"canary {number}"))
    conn.execute(
        "INSERT INTO users (id, organization_id, email, role)"
        " SELECT gen_random_uuid(), id, subdomain || '@x.example', 'admin' FROM organizations"
    )

    conn.execute("ANALYZE")

    assert [column for (column,) in conn.execute(FIND_COPIES)] == [
        "organizations.gateway_key", "organizations.name", "organizations.subdomain", "users.email",
    ]  # fmt: skip

    upgrade()
    conn.execute("ANALYZE")

    assert conn.execute(FIND_COPIES).fetchall() == []


def test_documented_statements_repair_similar_subdomains(
    old_database: tuple[psycopg.Connection[Any], Callable[..., object]],
) -> None:
    conn, upgrade = old_database
    statements = re.findall(r"```sql\n(.*?)```", (ROOT / "docs" / "operations.md").read_text(), re.DOTALL)
    [find] = [each for each in statements if "HAVING" in each]
    [change] = [each for each in statements if "SET subdomain" in each]
    for subdomain in ("acme", "acrne", "globex"):
        conn.execute(INSERT, (subdomain, subdomain, subdomain))

    with pytest.raises(psycopg.errors.UniqueViolation, match="organizations_subdomain_skeleton_key"):
        upgrade()
    assert conn.execute("SELECT max(version) FROM schema_migrations").fetchone() == (MIGRATIONS_BEFORE,)

    conn.execute("SET ROLE tenancy_platform")
    [(subdomains, ids)] = conn.execute(find.encode()).fetchall()

    assert subdomains == ["acme", "acrne"]

    conn.execute(change.replace("'…'", "%s").encode(), ("acme-gmbh", ids[1]))
    assert conn.execute(find.encode()).fetchall() == []

    conn.execute("RESET ROLE")
    upgrade()

    assert conn.execute("SELECT count(*) FROM organizations").fetchone() == (3,)


def test_functions_of_the_release_before_find_keys_during_a_deploy(
    old_database: tuple[psycopg.Connection[Any], Callable[..., object]],
) -> None:
    """They run until the deploy ends, and look up credentials with the functions' role."""
    conn, upgrade = old_database
    calls = (
        "find_key_holder(sha256('x'))",
        "find_person(gen_random_uuid(), gen_random_uuid())",
        "find_platform_key(sha256('x'))",
    )

    upgrade()

    for role in ("tenancy_functions", "tenancy_authorizer"):
        conn.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
        assert [conn.execute(f"SELECT * FROM {call}".encode()).fetchall() for call in calls] == [[], [], []]
        conn.execute("RESET ROLE")


# ---------------------------------------------------------------------------------------- composite keys and look-ups


def test_upgrade_lists_keys_and_names_in_look_up_tables(
    old_database: tuple[psycopg.Connection[Any], Callable[..., object]],
) -> None:
    conn, upgrade = old_database
    for name in ("acme", "globex"):
        conn.execute(INSERT, (name, name, name))
    conn.execute(INSERT_KEY)
    conn.execute(
        "INSERT INTO organizations (id, name, subdomain, gateway_key) SELECT id, 'erased', id::text, id::text"
        " FROM gen_random_uuid() AS remnant (id)"
    )

    upgrade()

    names = conn.execute("SELECT subdomain, skeleton, gateway_key FROM organization_names ORDER BY 1").fetchall()
    assert names == [("acme", "acme", "acme"), ("globex", "globex", "globex")]

    conn.execute("SET ROLE tenancy_authorizer")
    statement = "SELECT subdomain FROM find_key_holder(sha256(%s::bytea))"
    assert [conn.execute(statement, (name,)).fetchall() for name in ("acme", "globex", "x")] == [
        [("acme",)], [("globex",)], [],
    ]  # fmt: skip


def test_statements_of_the_release_before_write_during_a_deploy(
    old_database: tuple[psycopg.Connection[Any], Callable[..., object]],
) -> None:
    conn, upgrade = old_database
    conn.execute(INSERT, ("acme", "acme", "acme"))
    [(organization_id,)] = conn.execute("SELECT id FROM organizations")

    upgrade()

    conn.execute("SET ROLE tenancy_platform")
    values = {"id": organization_id, "organization": organization_id}
    written = [conn.execute(each, values).rowcount for each in (INSERT_REFUSAL, INSERT_RECORD) for _ in range(2)]
    assert written == [1, 0, 1, 0]

    conn.execute(INSERT, ("globex", "globex", "globex"))

    with pytest.raises(psycopg.errors.UniqueViolation) as refused:
        conn.execute(INSERT, ("globex", "globex", "another"))
    assert refused.value.diag.constraint_name == "organizations_subdomain_key"


def test_upgrade_uses_the_documented_indexes(
    old_database: tuple[psycopg.Connection[Any], Callable[..., object]],
) -> None:
    conn, upgrade = old_database
    statements = re.findall(r"```sql\n(.*?)```", (ROOT / "docs" / "operations.md").read_text(), re.DOTALL)
    [documented] = [each for each in statements if "UNIQUE INDEX CONCURRENTLY" in each]
    names = re.findall(r"CONCURRENTLY (\w+)", documented)
    made = re.findall(r"CREATE UNIQUE INDEX IF NOT EXISTS (\w+)", (MIGRATIONS / "postgres" / COMPOSITE).read_text())

    assert names == made

    conn.execute("SET ROLE tenancy_owner")
    for statement in documented.strip().rstrip(";").split(";"):
        conn.execute(statement.encode())
    conn.execute("RESET ROLE")
    before = {oid for _, oid in conn.execute(LIST_KEY_INDEXES, (names,))}
    upgrade()

    after = [name.replace("_composite_key", "_pkey") for name in names]
    assert {oid for _, oid in conn.execute(LIST_KEY_INDEXES, (after,))} == before
    assert len(before) == len(names)


@pytest.mark.parametrize("name", ["audit_log_composite_key", "audit_log_id_key"])
def test_upgrade_stops_at_an_invalid_index(
    old_database: tuple[psycopg.Connection[Any], Callable[..., object]], name: str
) -> None:
    conn, upgrade = old_database
    conn.execute(f"CREATE UNIQUE INDEX {name} ON audit_log (organization_id, id)".encode())
    conn.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = %s::regclass", (name,))

    with pytest.raises(psycopg.errors.RaiseException, match=name):
        upgrade()

    assert conn.execute("SELECT max(version) FROM schema_migrations").fetchone() == (MIGRATIONS_BEFORE,)


# ------------------------------------------------------------------------------------------------- tables that are used


def test_upgrade_waits_for_a_table_that_is_in_use(
    old_database: tuple[psycopg.Connection[Any], Callable[..., object]],
) -> None:
    conn, upgrade = old_database
    with ThreadPoolExecutor(1) as pool:
        with conn.transaction():
            conn.execute("LOCK TABLE users IN ACCESS SHARE MODE")
            upgraded = pool.submit(upgrade)
            while conn.execute(COUNT_WAITING).fetchone() == (0,):
                assert not upgraded.done()

        upgraded.result()

    assert conn.execute("SELECT count(*) FROM key_digests").fetchone() == (0,)


def test_upgrade_pauses_longer_each_time_before_it_tries_again(
    old_database: tuple[psycopg.Connection[Any], Callable[..., object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a pause the migration neither holds nor waits for the lock, so requests continue."""
    conn, upgrade = old_database
    monkeypatch.setattr(migrating, "LOCK_ATTEMPTS", 4)
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        assert conn.execute(COUNT_WAITING).fetchone() == (0,)
        pauses.append(seconds)

    with conn.transaction():
        conn.execute("LOCK TABLE users IN ACCESS SHARE MODE")
        with pytest.raises(TableInUseError):
            upgrade(pause=pause)

    assert pauses == [0.5, 1, 2]


def test_upgrade_gives_up_on_a_used_table_and_changes_nothing(
    old_database: tuple[psycopg.Connection[Any], Callable[..., object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests for the table wait behind the migration, so it does not wait for long."""
    conn, upgrade = old_database
    monkeypatch.setattr(migrating, "LOCK_ATTEMPTS", 2)

    with conn.transaction():
        conn.execute("LOCK TABLE users IN ACCESS SHARE MODE")
        with pytest.raises(TableInUseError):
            upgrade()

    assert conn.execute("SELECT max(version) FROM schema_migrations").fetchone() == (MIGRATIONS_BEFORE,)
    upgrade()
