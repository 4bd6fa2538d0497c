"""Migrate applies each migration once, refuses a changed one, and reports to CloudFormation."""

import json
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import boto3
import psycopg
import pytest
from psycopg import sql

from scripts.stack import postgres
from tenancy.rules.keys.api_keys import KeyType, find_key
from tenancy.stores.aws.secrets import (
    AUTHORIZER_DATABASE,
    CLICKHOUSE,
    DATABASE,
    OWNER_DATABASE,
    PLATFORM_DATABASE,
    PLATFORM_KEY,
)
from tenancy.stores.clickhouse.client import DatabaseError, connect
from tenancy.stores.postgres.client import Database, UnboundRoleError
from tenancy.stores.postgres.platform.lookups import find_platform_key
from tenancy.use_cases.schema import migrate as migrations
from tenancy.use_cases.schema.migrate import (
    AuthorizerLoginError,
    DatabaseNamesError,
    MissingRolesError,
    UnusableStoreError,
)
from tests.given import MIGRATIONS, REGION, AwsAccount, Servers
from tests.handlers.cloudformation import report_server, stack_request
from tests.handlers.functions import PREFIX, Function, LogLines, PutSecret, Start
from tests.handlers.requests import sample
from tests.stores.private_authority import make_authority, tls_server

BY_HAND = sample("migrate", "by_hand")
POSTGRES = len(list((MIGRATIONS / "postgres").glob("*.sql")))
ACCESS = ["0004_reader", "0005_reader_grants", "0006_everyone_else", "0007_reader_policies"]
CLICKHOUSE_TOO = len(list((MIGRATIONS / "clickhouse").glob("*.sql"))) - len(ACCESS)
EVERYTHING = {"Postgres": POSTGRES, "ClickHouse": CLICKHOUSE_TOO, "Skipped": len(ACCESS)}
NOTHING = {"Postgres": 0, "ClickHouse": 0, "Skipped": len(ACCESS)}
type Statement = Callable[[str], list[tuple[Any, ...]]]


@pytest.fixture
def empty(servers: Servers, database_names: Iterator[str]) -> Iterator[str]:
    """Create empty databases of one name, as an operator does before the first deployment."""
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
    put_secret(AUTHORIZER_DATABASE, servers.postgres_url(postgres.AUTHORIZER, empty))
    put_secret(DATABASE, servers.postgres_url(postgres.FUNCTIONS, empty))
    put_secret(PLATFORM_DATABASE, servers.postgres_url(postgres.PLATFORM, empty))
    put_secret(CLICKHOUSE, servers.clickhouse_url(empty))
    boto3.client("secretsmanager", region_name=REGION).create_secret(Name=f"{PREFIX}/{PLATFORM_KEY}")
    monkeypatch.syspath_prepend(str(MIGRATIONS))  # as emulators mount the layer
    return lambda: start("migrate")


@pytest.fixture
def changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Replace the layer by a copy in which one migration has another text."""

    def change(file: str) -> None:
        folder = tmp_path / "migrations"
        shutil.copytree(MIGRATIONS, folder)
        with (folder / file).open("a") as script:
            script.write("\n-- changed\n")
        monkeypatch.syspath_prepend(str(folder))

    return change


def read_platform_key() -> str:
    answer = boto3.client("secretsmanager", region_name=REGION).get_secret_value(SecretId=f"{PREFIX}/{PLATFORM_KEY}")
    return str(answer["SecretString"])


def test_first_run_makes_schemas_and_a_working_platform_key(
    start_migrate: Callable[[], Function], servers: Servers, empty: str, query: Statement
) -> None:
    assert start_migrate()(BY_HAND) == EVERYTHING

    assert query("SELECT count(*) FROM organizations") == [(0,)]
    client = connect(servers.clickhouse_url(empty))
    assert client.query("SELECT count() FROM events").result_rows[0][0] == 0
    client.close()

    key = find_key(read_platform_key())
    assert key is not None
    assert key.type is KeyType.PLATFORM
    db = Database(lambda: servers.postgres_url(postgres.AUTHORIZER, empty))
    with db.transaction() as conn:
        assert find_platform_key(conn, key.digest) is not None
    db.close()


def test_second_run_changes_nothing(start_migrate: Callable[[], Function], query: Statement) -> None:
    migrate = start_migrate()
    migrate(BY_HAND)
    key, versions = read_platform_key(), query("SELECT version, name, digest, applied_at FROM schema_migrations")

    for again in (migrate, start_migrate()):
        assert again(BY_HAND) == NOTHING

    assert read_platform_key() == key
    assert query("SELECT version, name, digest, applied_at FROM schema_migrations") == versions
    assert query("SELECT count(*) FROM platform_keys") == [(1,)]


def test_concurrent_runs_migrate_once(start_migrate: Callable[[], Function], query: Statement) -> None:
    functions = [start_migrate() for _ in range(3)]

    with ThreadPoolExecutor(len(functions)) as pool:
        answers = list(pool.map(lambda migrate: migrate(BY_HAND), functions))

    assert sorted(answers, key=str) == [NOTHING, NOTHING, EVERYTHING]
    assert query("SELECT count(*), count(DISTINCT version) FROM schema_migrations") == [(POSTGRES, POSTGRES)]
    key = find_key(read_platform_key())
    assert key is not None
    assert [bytes(digest) for (digest,) in query("SELECT digest FROM platform_keys")] == [key.digest]


@pytest.mark.parametrize("file", ["postgres/0002_people_apps_keys.sql", "clickhouse/0001_events.sql"])
def test_changed_migration_is_refused(
    start_migrate: Callable[[], Function], changed: Callable[[str], None], query: Statement, file: str
) -> None:
    start_migrate()(BY_HAND)
    before = query("SELECT version, digest FROM schema_migrations ORDER BY version")
    changed(file)

    with pytest.raises(Exception, match=Path(file).stem):
        start_migrate()(BY_HAND)

    assert query("SELECT version, digest FROM schema_migrations ORDER BY version") == before


def test_failed_migration_leaves_postgresql_unchanged(
    start_migrate: Callable[[], Function], changed: Callable[[str], None], query: Statement, tmp_path: Path
) -> None:
    changed("postgres/0001_organizations.sql")
    (tmp_path / "migrations/postgres/9999_broken.sql").write_text("CREATE TABLE half (id integer); SELECT nonsense")

    with pytest.raises(Exception, match="nonsense"):
        start_migrate()(BY_HAND)

    assert query("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]

    (tmp_path / "migrations/postgres/9999_broken.sql").unlink()
    assert start_migrate()(BY_HAND)["Postgres"] == POSTGRES


def test_platform_key_is_kept_if_its_digest_is_missing(start_migrate: Callable[[], Function], query: Statement) -> None:
    migrate = start_migrate()
    migrate(BY_HAND)
    key = read_platform_key()

    query("DELETE FROM platform_keys RETURNING 1")
    migrate(BY_HAND)

    assert read_platform_key() == key
    assert query("SELECT count(*) FROM platform_keys") == [(1,)]


# ------------------------------------------------------------------------ a server on which roles cannot be managed


def test_skipped_migrations_are_logged_and_retried(
    start_migrate: Callable[[], Function], servers: Servers, empty: str, logged: LogLines
) -> None:
    migrate = start_migrate()
    for _ in range(2):
        migrate(BY_HAND)
        assert [line["skipped"] for line in logged() if line["level"] == "WARNING"][-1] == ACCESS

    assert len([line for line in logged() if line["level"] == "WARNING"]) == 2

    client = connect(servers.clickhouse_url(empty))
    applied = [name for (name,) in client.query("SELECT name FROM schema_migrations").result_rows]
    client.close()

    assert len(applied) == CLICKHOUSE_TOO
    assert not set(applied) & set(ACCESS)


def test_migration_after_a_skipped_one_is_applied(
    start_migrate: Callable[[], Function], changed: Callable[[str], None], tmp_path: Path
) -> None:
    changed("clickhouse/0004_reader.sql")
    later = tmp_path / "migrations/clickhouse/9999_later.sql"
    later.write_text("CREATE TABLE IF NOT EXISTS later (a UInt8) ENGINE = Memory")

    assert start_migrate()(BY_HAND)["ClickHouse"] == CLICKHOUSE_TOO + 1


# These fail with the same errors as a skipped migration: ACCESS_DENIED, UNKNOWN_ROLE.
@pytest.mark.parametrize(
    "statement",
    [
        "SHOW CREATE USER default",
        "SET ROLE unknown_role",
        "-- GRANT, says the comment\nSET ROLE unknown_role",
    ],
)
def test_other_statement_without_access_fails(
    start_migrate: Callable[[], Function], changed: Callable[[str], None], tmp_path: Path, statement: str
) -> None:
    changed("clickhouse/0004_reader.sql")
    (tmp_path / "migrations/clickhouse/9999_refused.sql").write_text(statement)

    with pytest.raises(UnusableStoreError, match="The secret clickhouse has a user that may not make the tables"):
        start_migrate()(BY_HAND)


def test_invalid_access_statement_fails(
    start_migrate: Callable[[], Function], changed: Callable[[str], None], tmp_path: Path
) -> None:
    changed("clickhouse/0004_reader.sql")
    (tmp_path / "migrations/clickhouse/9999_wrong.sql").write_text("CREATE ROLE IF NOT EXISTS a b c")

    with pytest.raises(DatabaseError, match="SYNTAX_ERROR"):
        start_migrate()(BY_HAND)


def test_superuser_runs_no_migration(
    start_migrate: Callable[[], Function], put_secret: PutSecret, servers: Servers, empty: str, query: Statement
) -> None:
    put_secret(OWNER_DATABASE, servers.superuser_url.rpartition("/")[0] + f"/{empty}")
    with pytest.raises(UnboundRoleError, match="a superuser"):
        start_migrate()(BY_HAND)

    assert query("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]


def test_nothing_is_migrated_if_the_authorizer_cannot_log_in(
    start_migrate: Callable[[], Function], put_secret: PutSecret, servers: Servers, empty: str, query: Statement
) -> None:
    unmade_role = servers.postgres_url(postgres.AUTHORIZER, empty).replace(postgres.AUTHORIZER, "tenancy_unmade")
    put_secret(AUTHORIZER_DATABASE, unmade_role)

    with pytest.raises(AuthorizerLoginError, match="authorizer-database is missing, or its role cannot log in"):
        start_migrate()(BY_HAND)

    assert query("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]


@pytest.mark.parametrize("secret", [DATABASE, PLATFORM_DATABASE, AUTHORIZER_DATABASE])
def test_nothing_is_migrated_if_the_secrets_name_other_databases(
    start_migrate: Callable[[], Function],
    put_secret: PutSecret,
    servers: Servers,
    empty: str,
    query: Statement,
    secret: str,
) -> None:
    url = servers.postgres_url(postgres.AUTHORIZER, empty)
    put_secret(secret, f"main {url}\nsecond {url}")

    with pytest.raises(DatabaseNamesError) as refused:
        start_migrate()(BY_HAND)

    assert f"; {secret}: main, second" in str(refused.value)
    assert query("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]


def test_missing_secret_of_the_authorizer_is_reported(
    start_migrate: Callable[[], Function], reports: tuple[str, list[dict[str, Any]]]
) -> None:
    url, received = reports
    boto3.client("secretsmanager", region_name=REGION).delete_secret(
        SecretId=f"{PREFIX}/{AUTHORIZER_DATABASE}", ForceDeleteWithoutRecovery=True
    )

    assert start_migrate()(stack_request("Update", url)) == {}

    assert received[-1]["Status"] == "FAILED"
    assert "Make both as docs/operations.md says" in received[-1]["Reason"]


# ------------------------------------------------------------------------------------- one clear message for a failure


def delete_secret(name: str) -> None:
    client = boto3.client("secretsmanager", region_name=REGION)
    client.delete_secret(SecretId=f"{PREFIX}/{name}", ForceDeleteWithoutRecovery=True)


@pytest.fixture
def assert_stopped(
    start_migrate: Callable[[], Function], reports: tuple[str, list[dict[str, Any]]], query: Statement
) -> Callable[..., None]:
    """Let CloudFormation run Migrate. It must report these parts in one sentence, and change nothing."""

    def run(*parts: str) -> None:
        url, received = reports
        assert start_migrate()(stack_request("Create", url)) == {}
        reason = received[-1]["Reason"]
        assert received[-1]["Status"] == "FAILED"
        assert [part for part in (*parts, "deploy again") if part.lower() not in reason.lower()] == [], reason
        assert "secret-password" not in reason
        assert query("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]

    return run


@pytest.mark.parametrize("secret", [OWNER_DATABASE, CLICKHOUSE])
def test_missing_secret_is_named(assert_stopped: Callable[..., None], secret: str, start_migrate: object) -> None:  # noqa: ARG001 - makes the secrets
    delete_secret(secret)

    assert_stopped(f"The secret {secret} is missing")


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("postgresql://tenancy_owner:secret-password@{postgres}/tenancy", "user, password or database"),
        (
            "postgresql://tenancy_owner:secret-password@{nowhere}/tenancy",
            "names a PostgreSQL server that did not",
        ),
        ("postgresql://tenancy_owner:secret-password@{postgres}/tenancy?sslmode=verify-full", "valid certificate"),
        ("no URL: secret-password", "no valid URL of PostgreSQL"),
    ],
)
def test_unusable_url_of_the_owner_is_named(
    assert_stopped: Callable[..., None], put_secret: PutSecret, servers: Servers, nowhere: str, url: str, problem: str
) -> None:
    put_secret(OWNER_DATABASE, url.format(postgres=f"127.0.0.1:{servers.postgres_port}", nowhere=nowhere))

    assert_stopped("UnusableStoreError", "The secret owner-database", problem)


@pytest.mark.parametrize(
    ("secret", "url", "problem"),
    [
        (
            OWNER_DATABASE,
            "postgresql://any@127.0.0.1:{port}/tenancy?sslmode=verify-full&sslrootcert={root}",
            "aws-roots.pem",
        ),
        (CLICKHOUSE, "https://any:secret-password@127.0.0.1:{port}/tenancy?ca_cert={root}", "of a public root"),
    ],
)
def test_expired_certificate_is_named(
    assert_stopped: Callable[..., None],
    put_secret: PutSecret,
    servers: Servers,
    tmp_path: Path,
    secret: str,
    url: str,
    problem: str,
) -> None:
    expired = make_authority(tmp_path / "expired", lifetime=timedelta(hours=-1))
    is_postgres = secret == OWNER_DATABASE

    with tls_server(expired, servers.postgres_port, is_postgres=is_postgres) as port:
        put_secret(secret, url.format(port=port, root=expired.root_file))

        assert_stopped(f"The secret {secret}", "no valid certificate", problem)


def test_missing_roles_are_named(assert_stopped: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        migrations, "REQUIRED_ROLES", (*migrations.REQUIRED_ROLES, "tenancy_unmade", "tenancy_forgotten")
    )

    assert_stopped(MissingRolesError.__name__, "tenancy_forgotten, tenancy_unmade", "as tenancy_owner")


@pytest.fixture
def refusing_clickhouse() -> Iterator[Callable[[int], str]]:
    """Return the URL of a server that refuses each request with a code of ClickHouse."""

    class Refuse(BaseHTTPRequestHandler):
        code = 0

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"] or 0))
            text = f"Code: {self.code}. DB::Exception: refused".encode()
            self.send_response(403)
            self.send_header("X-ClickHouse-Exception-Code", str(self.code))
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST  # noqa: N815 - the name of http.server

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    def serve(code: int) -> str:
        Refuse.code = code
        return f"http://tenancy:secret-password@127.0.0.1:{server.server_port}/tenancy"

    with ThreadingHTTPServer(("127.0.0.1", 0), Refuse) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield serve
        server.shutdown()


@pytest.mark.parametrize(
    ("code", "problem"),
    [(516, "a user or password that ClickHouse refuses"), (81, "a database that ClickHouse does not have")],
)
def test_refusal_of_clickhouse_is_named(
    assert_stopped: Callable[..., None],
    put_secret: PutSecret,
    refusing_clickhouse: Callable[[int], str],
    code: int,
    problem: str,
) -> None:
    put_secret(CLICKHOUSE, refusing_clickhouse(code))

    assert_stopped("The secret clickhouse", problem)


def test_unreachable_clickhouse_is_named(
    assert_stopped: Callable[..., None], put_secret: PutSecret, nowhere: str
) -> None:
    put_secret(CLICKHOUSE, f"http://tenancy:secret-password@{nowhere}/tenancy")

    assert_stopped("The secret clickhouse", "names a ClickHouse server that did not answer")


# ------------------------------------------------------------------------------------------------------ CloudFormation


@pytest.fixture
def reports() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    with report_server() as served:
        yield served


def test_cloudformation_gets_the_result(
    start_migrate: Callable[[], Function],
    changed: Callable[[str], None],
    query: Statement,
    reports: tuple[str, list[dict[str, Any]]],
) -> None:
    url, received = reports
    migrate = start_migrate()

    migrate(stack_request("Create", url))
    migrate(stack_request("Update", url))
    migrate(stack_request("Delete", url))

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

    assert start_migrate()(stack_request("Update", url)) == {}
    assert received[-1]["Status"] == "FAILED"
    assert "0001_organizations" in received[-1]["Reason"]


def test_report_to_cloudformation_has_no_secret(
    start_migrate: Callable[[], Function],
    put_secret: PutSecret,
    reports: tuple[str, list[dict[str, Any]]],
    nowhere: str,
) -> None:
    url, received = reports

    put_secret(OWNER_DATABASE, f"postgresql://nobody:secret-password@{nowhere}/tenancy")

    assert start_migrate()(stack_request("Create", url)) == {}
    assert received[-1]["Status"] == "FAILED"
    assert "secret-password" not in json.dumps(received)
