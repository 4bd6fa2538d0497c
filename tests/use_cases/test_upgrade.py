"""The migrations upgrade a database of the previous release with its rows."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from scripts.stack import postgres
from tenancy.stores.clickhouse.client import connect
from tenancy.stores.postgres.client import Database
from tenancy.use_cases.schema.migrate import migrate
from tests.given import MIGRATIONS, ROOT, Servers

MIGRATIONS_BEFORE = 12  # PostgreSQL migrations of the previous release
INSERT = "INSERT INTO organizations (id, name, subdomain, gateway_key) VALUES (gen_random_uuid(), %s, %s, %s)"
FIND_COPIES = """
    SELECT tablename || '.' || attname FROM pg_stats WHERE histogram_bounds::text LIKE '%canary%' ORDER BY 1
"""


@pytest.fixture
def old_database(
    servers: Servers, database_names: Iterator[str], tmp_path: Path
) -> Iterator[tuple[psycopg.Connection[Any], Callable[[], object]]]:
    """Yield a connection to a database of the previous release and a function that upgrades it."""
    name, before = next(database_names), tmp_path / "before"
    shutil.copytree(MIGRATIONS, before)
    for file in sorted((before / "postgres").glob("*.sql"))[MIGRATIONS_BEFORE:]:
        file.unlink()
    with psycopg.connect(servers.superuser_url, autocommit=True) as conn:
        identifiers = map(sql.Identifier, (name, postgres.OWNER))
        conn.execute(sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0").format(*identifiers))
    admin = connect(servers.clickhouse_url("default"))
    admin.command(f"CREATE DATABASE {name}")
    client = connect(servers.clickhouse_url(name))
    owner = Database(lambda: servers.postgres_url(postgres.OWNER, name), as_owner=True)
    migrate(owner, client, before)
    with psycopg.connect(servers.superuser_url, dbname=name, autocommit=True) as conn:
        yield conn, lambda: migrate(owner, client, MIGRATIONS)
    owner.close()
    client.close()
    admin.command(f"DROP DATABASE {name} SYNC")
    admin.close()


def test_upgrade_removes_copies_of_rows_in_statistics(
    old_database: tuple[psycopg.Connection[Any], Callable[[], object]],
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
    old_database: tuple[psycopg.Connection[Any], Callable[[], object]],
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
    old_database: tuple[psycopg.Connection[Any], Callable[[], object]],
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
