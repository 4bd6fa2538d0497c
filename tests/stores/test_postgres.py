"""Connections and transactions of PostgreSQL: faults, and the tenant of a transaction."""

from typing import LiteralString

import psycopg
import pytest

from tenancy.errors import UnavailableError
from tenancy.stores.postgres.client import Connection, Database
from tenancy.use_cases.organizations.provision import Provisioned
from tests.free_ports import free_port
from tests.given import ROOT, Databases

TERMINATE_OTHERS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND usename = %s"


def test_connection_that_died_between_requests_is_replaced(databases: Databases, acme: Provisioned) -> None:
    with databases.functions.tenant_transaction(acme.organization.id) as conn:
        first = conn.info.backend_pid
    with psycopg.connect(databases.servers.superuser_url, autocommit=True) as admin:
        admin.execute(TERMINATE_OTHERS, (databases.name, "tenancy_functions"))

    with databases.functions.tenant_transaction(acme.organization.id) as conn:
        assert conn.info.backend_pid != first
        assert conn.execute("SELECT count(*) FROM users").fetchone() == (1,)


def test_connection_that_dies_in_a_transaction_changes_nothing(databases: Databases, acme: Provisioned) -> None:
    insert = "INSERT INTO apps (id, organization_id, name, platform) VALUES (gen_random_uuid(), %s, 'x', 'web')"

    with (
        pytest.raises(UnavailableError),
        databases.platform.tenant_transaction(acme.organization.id) as conn,
        psycopg.connect(databases.servers.superuser_url, autocommit=True) as admin,
    ):
        conn.execute(insert, (acme.organization.id,))
        admin.execute(TERMINATE_OTHERS, (databases.name, "tenancy_platform"))
        conn.execute("SELECT 1")

    with databases.platform.tenant_transaction(acme.organization.id) as conn:
        assert conn.execute("SELECT count(*) FROM apps").fetchone() == (1,)


def test_look_up_replaces_a_connection_that_died(databases: Databases) -> None:
    def backend(conn: Connection) -> int:
        conn.execute("SELECT 1")
        return conn.info.backend_pid

    first = databases.functions.look_up(backend)
    with psycopg.connect(databases.servers.superuser_url, autocommit=True) as admin:
        admin.execute(TERMINATE_OTHERS, (databases.name, "tenancy_functions"))

    assert databases.functions.look_up(backend) != first


def test_look_up_in_a_transaction_is_refused(databases: Databases, acme: Provisioned) -> None:
    with (
        databases.functions.tenant_transaction(acme.organization.id),
        pytest.raises(RuntimeError, match="nest"),
    ):
        databases.functions.look_up(lambda conn: conn.execute("SELECT 1"))


def test_look_up_sees_no_tenant(databases: Databases, acme: Provisioned) -> None:
    with databases.functions.tenant_transaction(acme.organization.id) as conn:
        assert conn.execute("SELECT count(*) FROM users").fetchone() == (1,)

    seen = databases.functions.look_up(lambda conn: conn.execute("SELECT count(*) FROM users").fetchone())

    assert seen == (0,)


def test_unreachable_database_fails_a_look_up() -> None:
    database = Database(lambda: f"postgresql://nobody@127.0.0.1:{free_port()}/nothing")

    with pytest.raises(UnavailableError):
        database.look_up(lambda conn: conn.execute("SELECT 1"))


def test_unreachable_database_is_unavailable() -> None:
    database = Database(lambda: f"postgresql://nobody@127.0.0.1:{free_port()}/nothing")

    with pytest.raises(UnavailableError), database.transaction():
        pass


def test_invalid_url_is_logged_by_the_name_of_its_secret(caplog: pytest.LogCaptureFixture) -> None:
    database = Database(lambda: "https://user:hunter2@host", secret="platform-database")

    with pytest.raises(UnavailableError) as refused, database.transaction():
        pass

    [record] = caplog.records
    assert vars(record)["secret"] == "platform-database"
    assert "hunter2" not in f"{refused.value}{vars(record)}"


def test_error_rolls_the_transaction_back(databases: Databases, acme: Provisioned) -> None:
    rename = "UPDATE organizations SET name = 'Renamed' WHERE id = %s"

    with pytest.raises(ZeroDivisionError), databases.platform.transaction() as conn:
        conn.execute(rename, (acme.organization.id,))
        raise ZeroDivisionError

    with databases.platform.transaction() as conn:
        assert conn.execute("SELECT name FROM organizations").fetchall() == [("Acme",)]


def tenant_outside(database: Database) -> object:
    """Return the tenant that a statement outside of any transaction sees."""
    assert database._connection is not None
    [(tenant,)] = database._connection.execute("SELECT current_tenant()")
    return tenant


def test_tenant_ends_with_a_commit(databases: Databases, acme: Provisioned) -> None:
    with databases.functions.tenant_transaction(acme.organization.id) as conn:
        assert conn.execute("SELECT current_tenant()").fetchone() == (acme.organization.id,)

    assert tenant_outside(databases.functions) is None


def test_tenant_ends_with_an_error(databases: Databases, acme: Provisioned) -> None:
    with pytest.raises(ZeroDivisionError), databases.functions.tenant_transaction(acme.organization.id):
        raise ZeroDivisionError
    assert tenant_outside(databases.functions) is None

    with pytest.raises(psycopg.Error), databases.functions.tenant_transaction(acme.organization.id) as conn:
        conn.execute("SELECT 1 / 0")
    assert tenant_outside(databases.functions) is None


@pytest.mark.parametrize("statement", ["COMMIT", "ROLLBACK"])
def test_tenant_ends_with_a_statement_that_ends_the_transaction(
    databases: Databases, acme: Provisioned, statement: LiteralString
) -> None:
    with databases.functions.tenant_transaction(acme.organization.id) as conn:
        conn.execute(statement)

        assert conn.execute("SELECT count(*) FROM users").fetchone() == (0,)


def test_transactions_do_not_nest(databases: Databases, acme: Provisioned, globex: Provisioned) -> None:
    with databases.functions.tenant_transaction(acme.organization.id) as conn:
        with pytest.raises(RuntimeError, match="nest"), databases.functions.transaction():
            pytest.fail("a transaction was opened")
        nested = databases.functions.tenant_transaction(globex.organization.id)
        with pytest.raises(RuntimeError, match="nest"), nested:
            pytest.fail("a transaction was opened")

        assert conn.execute("SELECT current_tenant()").fetchone() == (acme.organization.id,)


def test_transactions_tenant_overrides_the_sessions_tenant(
    databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    with databases.functions.transaction() as conn:
        conn.execute("SELECT set_config('app.current_tenant', %s, false)", (str(globex.organization.id),))

    with databases.functions.tenant_transaction(acme.organization.id) as conn:
        assert conn.execute("SELECT DISTINCT organization_id FROM users").fetchall() == [(acme.organization.id,)]


def test_only_the_client_sets_a_tenant() -> None:
    sources = [*(ROOT / "layers/tenancy").rglob("*.py"), *(ROOT / "functions").rglob("*.py")]
    client = ROOT / "layers/tenancy/tenancy/stores/postgres/client.py"

    assert [path for path in sources if "app.current_tenant" in path.read_text()] == [client]


def test_connection_has_no_prepared_statements(databases: Databases, acme: Provisioned) -> None:
    with databases.functions.tenant_transaction(acme.organization.id) as conn:
        for _ in range(10):
            conn.execute("SELECT id FROM users WHERE organization_id = %s", (acme.organization.id,))

        assert conn.execute("SELECT count(*) FROM pg_prepared_statements").fetchone() == (0,)

    assert conn.prepare_threshold is None


def test_connection_is_in_autocommit(databases: Databases, acme: Provisioned) -> None:
    with databases.functions.tenant_transaction(acme.organization.id) as conn, pytest.raises(psycopg.ProgrammingError):
        conn.autocommit = False

    assert conn.autocommit
