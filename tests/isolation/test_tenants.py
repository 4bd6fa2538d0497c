"""Transactions of a tenant reach the tenant's own rows only, with every role."""

from uuid import uuid4

import psycopg
import pytest

from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Databases

INSERT_APP = "INSERT INTO apps (id, organization_id, name, platform) VALUES (%s, %s, 'x', 'web')"
INSERT_KEY = """
    INSERT INTO api_keys (id, organization_id, type, app_id, name, digest, hint, scopes)
    VALUES (%s, %s, 'wk', %s, 'x', sha256('x'), 'x', '{}')
"""


@pytest.mark.parametrize("table", ["users", "organizations"])
def test_functions_role_sees_no_rows_without_a_tenant(databases: Databases, acme: Provisioned, table: str) -> None:
    assert acme.organization.subdomain == "acme"  # there is a row to see

    with databases.functions.transaction() as conn:
        assert conn.execute(f"SELECT * FROM {table}".encode()).fetchall() == []


def test_tenant_sees_only_its_own_rows(databases: Databases, acme: Provisioned, globex: Provisioned) -> None:
    for own, other in ((acme, globex), (globex, acme)):
        with databases.functions.tenant_transaction(own.organization.id) as conn:
            owners = conn.execute("SELECT DISTINCT organization_id FROM api_keys").fetchall()
            rows = conn.execute("SELECT * FROM users WHERE organization_id = %s", (other.organization.id,)).fetchall()

        assert owners == [(own.organization.id,)]
        assert rows == []


def test_tenant_ends_with_its_transaction(databases: Databases, acme: Provisioned) -> None:
    with databases.functions.tenant_transaction(acme.organization.id) as conn:
        assert conn.execute("SELECT count(*) FROM users").fetchone() == (1,)

    with databases.functions.transaction() as conn:
        assert conn.execute("SELECT current_setting('app.current_tenant', true)").fetchone() in {("",), (None,)}
        assert conn.execute("SELECT count(*) FROM users").fetchone() == (0,)


def test_platform_role_cannot_write_rows_of_another_tenant(
    databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege),
        databases.platform.tenant_transaction(acme.organization.id) as conn,
    ):
        conn.execute(INSERT_APP, (uuid4(), globex.organization.id))


def test_key_cannot_reference_an_app_of_another_tenant(
    databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    with (
        pytest.raises(psycopg.errors.ForeignKeyViolation),
        databases.platform.tenant_transaction(acme.organization.id) as conn,
    ):
        conn.execute(INSERT_KEY, (uuid4(), acme.organization.id, globex.app_id))


@pytest.mark.parametrize(
    "statement", ["UPDATE organizations SET tier = 'enterprise'", "DELETE FROM users", "TRUNCATE tenant_usage"]
)
def test_functions_role_has_no_unneeded_rights(databases: Databases, acme: Provisioned, statement: str) -> None:
    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege),
        databases.functions.tenant_transaction(acme.organization.id) as conn,
    ):
        conn.execute(statement.encode())
