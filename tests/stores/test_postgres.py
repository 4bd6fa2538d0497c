"""Connections and transactions, against a real server."""

import psycopg
import pytest

from tenancy.errors import UnavailableError
from tenancy.stores.postgres import Database
from tenancy.use_cases.provision import Provisioned
from tests.given import Databases, free_port

TERMINATE_OTHERS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND usename = %s"


def test_a_connection_that_died_between_requests_is_replaced(databases: Databases, acme: Provisioned) -> None:
    with databases.functions.tenant_transaction(acme.organization.id) as conn:
        first = conn.info.backend_pid
    with psycopg.connect(databases.servers.superuser_url, autocommit=True) as admin:
        admin.execute(TERMINATE_OTHERS, (databases.name, "tenancy_functions"))
    with databases.functions.tenant_transaction(acme.organization.id) as conn:
        assert conn.info.backend_pid != first
        assert conn.execute("SELECT count(*) FROM users").fetchone() == (1,)


def test_a_connection_that_dies_within_a_transaction_is_an_outage_and_changes_nothing(
    databases: Databases, acme: Provisioned
) -> None:
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


def test_a_database_that_is_away_is_an_outage() -> None:
    nowhere = Database(lambda: f"postgresql://nobody@127.0.0.1:{free_port()}/nothing")
    with pytest.raises(UnavailableError), nowhere.transaction():
        pass


def test_an_error_in_a_transaction_undoes_it(databases: Databases, acme: Provisioned) -> None:
    rename = "UPDATE organizations SET name = 'Renamed' WHERE id = %s"
    with pytest.raises(ZeroDivisionError), databases.platform.transaction() as conn:
        conn.execute(rename, (acme.organization.id,))
        raise ZeroDivisionError
    with databases.platform.transaction() as conn:
        assert conn.execute("SELECT name FROM organizations").fetchall() == [("Acme",)]
