"""Migrate brings the schemas up to date once, tells CloudFormation, and never runs a migration that was changed."""

import json
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest
from psycopg import sql

from scripts.stack import postgres
from tenancy.rules.api_keys import KeyType, find_key
from tenancy.stores.aws.secrets import CLICKHOUSE, OWNER_DATABASE, PLATFORM_KEY
from tenancy.stores.clickhouse.client import DatabaseError, connect
from tenancy.stores.clickhouse.platform.migrations import ACCESS_REFUSALS
from tenancy.stores.postgres.client import Database, UnboundRoleError
from tenancy.stores.postgres.platform.lookups import find_platform_key
from tests.given import MIGRATIONS, REGION, AwsAccount, Servers
from tests.handlers.functions import PREFIX, Function, LogLines, PutSecret, Start
from tests.handlers.reports import deploy, reports
from tests.handlers.requests import sample

BY_HAND = sample("migrate", "by_hand")
POSTGRES = len(list((MIGRATIONS / "postgres").glob("*.sql")))
ACCESS = ["0004_reader", "0005_reader_grants", "0006_everyone_else", "0007_reader_policies"]
CLICKHOUSE_TOO = len(list((MIGRATIONS / "clickhouse").glob("*.sql"))) - len(ACCESS)
EVERYTHING = {"Postgres": POSTGRES, "ClickHouse": CLICKHOUSE_TOO, "Skipped": len(ACCESS)}
NOTHING = {"Postgres": 0, "ClickHouse": 0, "Skipped": len(ACCESS)}
type Statement = Callable[[str], list[tuple[Any, ...]]]


@pytest.fixture
def empty(servers: Servers, database_names: Iterator[str]) -> Iterator[str]:
    """Make empty databases of one name, as an operator does before the first deploy."""
    name = next(database_names)
    with psycopg.connect(servers.superuser_url, autocommit=True) as conn:
        identifiers = map(sql.Identifier, (name, postgres.OWNER))
        conn.execute(sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0").format(*identifiers))
    admin = connect(servers.clickhouse_url("default"))
    admin.command(f"CREATE DATABASE {name}")
    yield name
    admin.command(f"DROP DATABASE {name} SYNC")
    admin.close()


@pytest.fixture
def query(servers: Servers, empty: str) -> Statement:
    def run(statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(servers.superuser_url, dbname=empty) as conn:
            return conn.execute(statement.encode()).fetchall()

    return run


@pytest.fixture
def start_migrate(
    start: Start,
    put_secret: PutSecret,
    aws: AwsAccount,  # noqa: ARG001 - its account
    servers: Servers,
    empty: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[], Function]:
    put_secret(OWNER_DATABASE, servers.postgres_url(postgres.OWNER, empty))
    put_secret(CLICKHOUSE, servers.clickhouse_url(empty))
    boto3.client("secretsmanager", region_name=REGION).create_secret(Name=f"{PREFIX}/{PLATFORM_KEY}")
    monkeypatch.syspath_prepend(str(MIGRATIONS))  # as emulators mount the layer
    return lambda: start("migrate")


@pytest.fixture
def changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put a layer in the place of ours in which one migration has another text."""

    def change(file: str) -> None:
        folder = tmp_path / "migrations"
        shutil.copytree(MIGRATIONS, folder)
        with (folder / file).open("a") as script:
            script.write("\n-- changed\n")
        monkeypatch.syspath_prepend(str(folder))

    return change


def platform_key() -> str:
    answer = boto3.client("secretsmanager", region_name=REGION).get_secret_value(SecretId=f"{PREFIX}/{PLATFORM_KEY}")
    return str(answer["SecretString"])


def test_the_first_run_makes_the_schemas_and_a_platform_key_that_works(
    start_migrate: Callable[[], Function], servers: Servers, empty: str, query: Statement
) -> None:
    assert start_migrate()(BY_HAND) == EVERYTHING
    assert query("SELECT count(*) FROM organizations") == [(0,)]
    client = connect(servers.clickhouse_url(empty))
    assert client.query("SELECT count() FROM events").result_rows[0][0] == 0
    client.close()
    key = find_key(platform_key())
    assert key is not None
    assert key.type is KeyType.PLATFORM
    db = Database(lambda: servers.postgres_url(postgres.FUNCTIONS, empty))
    with db.transaction() as conn:
        assert find_platform_key(conn, key.digest) is not None
    db.close()


def test_a_second_run_changes_nothing(start_migrate: Callable[[], Function], query: Statement) -> None:
    migrate = start_migrate()
    migrate(BY_HAND)
    key, versions = platform_key(), query("SELECT version, name, digest, applied_at FROM schema_migrations")
    for again in (migrate, start_migrate()):
        assert again(BY_HAND) == NOTHING
    assert platform_key() == key
    assert query("SELECT version, name, digest, applied_at FROM schema_migrations") == versions
    assert query("SELECT count(*) FROM platform_keys") == [(1,)]


def test_two_at_once_do_not_collide(start_migrate: Callable[[], Function], query: Statement) -> None:
    functions = [start_migrate() for _ in range(3)]
    with ThreadPoolExecutor(len(functions)) as pool:
        answers = list(pool.map(lambda migrate: migrate(BY_HAND), functions))
    assert sorted(answers, key=str) == [NOTHING, NOTHING, EVERYTHING]
    assert query("SELECT count(*), count(DISTINCT version) FROM schema_migrations") == [(POSTGRES, POSTGRES)]
    key = find_key(platform_key())
    assert key is not None
    assert [bytes(digest) for (digest,) in query("SELECT digest FROM platform_keys")] == [key.digest]


@pytest.mark.parametrize("file", ["postgres/0002_people_apps_keys.sql", "clickhouse/0001_events.sql"])
def test_a_migration_that_was_changed_after_it_landed_is_refused(
    start_migrate: Callable[[], Function], changed: Callable[[str], None], query: Statement, file: str
) -> None:
    start_migrate()(BY_HAND)
    before = query("SELECT version, digest FROM schema_migrations ORDER BY version")
    changed(file)
    with pytest.raises(Exception, match=Path(file).stem):
        start_migrate()(BY_HAND)
    assert query("SELECT version, digest FROM schema_migrations ORDER BY version") == before


def test_a_migration_that_fails_leaves_postgresql_as_it_was(
    start_migrate: Callable[[], Function], changed: Callable[[str], None], query: Statement, tmp_path: Path
) -> None:
    changed("postgres/0001_organizations.sql")
    (tmp_path / "migrations/postgres/9999_broken.sql").write_text("CREATE TABLE half (id integer); SELECT nonsense")
    with pytest.raises(Exception, match="nonsense"):
        start_migrate()(BY_HAND)
    assert query("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]
    (tmp_path / "migrations/postgres/9999_broken.sql").unlink()
    assert start_migrate()(BY_HAND)["Postgres"] == POSTGRES


def test_a_key_whose_digest_the_database_does_not_know_yet_is_kept(
    start_migrate: Callable[[], Function], query: Statement
) -> None:
    migrate = start_migrate()
    migrate(BY_HAND)
    key = platform_key()
    query("DELETE FROM platform_keys RETURNING 1")
    migrate(BY_HAND)
    assert platform_key() == key
    assert query("SELECT count(*) FROM platform_keys") == [(1,)]


# ---------------------------------------------------------------------------- a server that lets us manage no access


def test_what_the_server_does_not_let_us_manage_is_said_not_noted_and_tried_again(
    start_migrate: Callable[[], Function], servers: Servers, empty: str, logged: LogLines
) -> None:
    migrate = start_migrate()
    for _ in range(2):
        migrate(BY_HAND)
        assert [line["skipped"] for line in logged() if line["level"] == "WARNING"][-1] == ACCESS
    assert len([line for line in logged() if line["level"] == "WARNING"]) == 2
    client = connect(servers.clickhouse_url(empty))
    noted = [name for (name,) in client.query("SELECT name FROM schema_migrations").result_rows]
    client.close()
    assert len(noted) == CLICKHOUSE_TOO
    assert not set(noted) & set(ACCESS)


def test_migrations_after_a_skipped_one_are_applied(
    start_migrate: Callable[[], Function], changed: Callable[[str], None], tmp_path: Path
) -> None:
    changed("clickhouse/0004_reader.sql")
    later = tmp_path / "migrations/clickhouse/9999_later.sql"
    later.write_text("CREATE TABLE IF NOT EXISTS later (a UInt8) ENGINE = Memory")
    assert start_migrate()(BY_HAND)["ClickHouse"] == CLICKHOUSE_TOO + 1


# Refused with the errors of a skipped one: ACCESS_DENIED, UNKNOWN_ROLE.
@pytest.mark.parametrize(
    "statement",
    [
        "SHOW CREATE USER default",
        "SET ROLE nobody_made_this",
        "-- GRANT, says the comment\nSET ROLE nobody_made_this",
    ],
)
def test_another_statement_that_is_refused_for_want_of_access_fails(
    start_migrate: Callable[[], Function], changed: Callable[[str], None], tmp_path: Path, statement: str
) -> None:
    changed("clickhouse/0004_reader.sql")
    (tmp_path / "migrations/clickhouse/9999_refused.sql").write_text(statement)
    with pytest.raises(DatabaseError) as refused:
        start_migrate()(BY_HAND)
    assert refused.value.code in ACCESS_REFUSALS


def test_an_access_statement_that_is_wrong_fails(
    start_migrate: Callable[[], Function], changed: Callable[[str], None], tmp_path: Path
) -> None:
    changed("clickhouse/0004_reader.sql")
    (tmp_path / "migrations/clickhouse/9999_wrong.sql").write_text("CREATE ROLE IF NOT EXISTS a b c")
    with pytest.raises(DatabaseError, match="SYNTAX_ERROR"):
        start_migrate()(BY_HAND)


def test_no_migration_runs_as_a_superuser(
    start_migrate: Callable[[], Function], put_secret: PutSecret, servers: Servers, empty: str, query: Statement
) -> None:
    put_secret(OWNER_DATABASE, servers.superuser_url.rpartition("/")[0] + f"/{empty}")
    with pytest.raises(UnboundRoleError, match="a superuser"):
        start_migrate()(BY_HAND)
    assert query("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]


# ------------------------------------------------------------------------------------------------------ CloudFormation


@pytest.fixture(name="reports")
def report_server() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    with reports() as served:
        yield served


def test_cloudformation_is_told_what_came_of_it(
    start_migrate: Callable[[], Function],
    changed: Callable[[str], None],
    query: Statement,
    reports: tuple[str, list[dict[str, Any]]],
) -> None:
    url, received = reports
    migrate = start_migrate()
    migrate(deploy("Create", url))
    migrate(deploy("Update", url))
    migrate(deploy("Delete", url))
    assert [report["Status"] for report in received] == ["SUCCESS"] * 3
    assert len({report["PhysicalResourceId"] for report in received}) == 1
    assert received[0]["Data"] == EVERYTHING
    for report in received:
        assert (report["StackId"], report["RequestId"], report["LogicalResourceId"]) == (
            "arn:aws:cloudformation:eu-central-1:123456789012:stack/tenancy/1",
            "request-1",
            "Schemas",
        )
    assert query("SELECT count(*) FROM schema_migrations") == [(POSTGRES,)]

    changed("postgres/0001_organizations.sql")
    assert start_migrate()(deploy("Update", url)) == {}
    assert received[-1]["Status"] == "FAILED"
    assert "0001_organizations" in received[-1]["Reason"]


def test_a_report_holds_no_secret(
    start_migrate: Callable[[], Function],
    put_secret: PutSecret,
    reports: tuple[str, list[dict[str, Any]]],
    nowhere: str,
) -> None:
    url, received = reports
    put_secret(OWNER_DATABASE, f"postgresql://nobody:nothing-to-tell@{nowhere}/tenancy")
    assert start_migrate()(deploy("Create", url)) == {}
    assert received[-1]["Status"] == "FAILED"
    assert "nothing-to-tell" not in json.dumps(received)
