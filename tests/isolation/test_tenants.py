"""What one organization can reach of another's, through each role and reader."""

from uuid import uuid4

import psycopg
import pytest

from tenancy.stores.clickhouse.client import TenantReader
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Databases


def test_without_a_tenant_the_functions_role_sees_no_row(databases: Databases, acme: Provisioned) -> None:
    assert acme.organization.subdomain == "acme"
    with databases.functions.transaction() as conn:
        assert conn.execute("SELECT * FROM users").fetchall() == []
        assert conn.execute("SELECT * FROM organizations").fetchall() == []


def test_a_tenant_sees_its_own_rows_and_no_other(databases: Databases, acme: Provisioned, globex: Provisioned) -> None:
    for own, other in ((acme, globex), (globex, acme)):
        with databases.functions.tenant_transaction(own.organization.id) as conn:
            assert conn.execute("SELECT DISTINCT organization_id FROM api_keys").fetchall() == [(own.organization.id,)]
            found = conn.execute("SELECT * FROM users WHERE organization_id = %s", (other.organization.id,)).fetchall()
        assert found == []


def test_the_tenant_ends_with_its_transaction(databases: Databases, acme: Provisioned) -> None:
    with databases.functions.tenant_transaction(acme.organization.id) as conn:
        assert conn.execute("SELECT count(*) FROM users").fetchone() == (1,)
    with databases.functions.transaction() as conn:
        assert conn.execute("SELECT current_setting('app.current_tenant', true)").fetchone() in {("",), (None,)}
        assert conn.execute("SELECT count(*) FROM users").fetchone() == (0,)


def test_the_platform_role_writes_a_tenants_rows_in_that_tenants_transaction_only(
    databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    insert = "INSERT INTO apps (id, organization_id, name, platform) VALUES (%s, %s, 'x', 'web')"
    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege),
        databases.platform.tenant_transaction(acme.organization.id) as conn,
    ):
        conn.execute(insert, (uuid4(), globex.organization.id))


def test_a_key_cannot_point_at_another_organizations_app(
    databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    insert = """
        INSERT INTO api_keys (id, organization_id, type, app_id, name, digest, hint, scopes)
        VALUES (%s, %s, 'wk', %s, 'x', sha256('x'), 'x', '{}')
    """
    with (
        pytest.raises(psycopg.errors.ForeignKeyViolation),
        databases.platform.tenant_transaction(acme.organization.id) as conn,
    ):
        conn.execute(insert, (uuid4(), acme.organization.id, globex.app_id))


def test_the_functions_role_changes_nothing_that_it_has_no_statement_for(
    databases: Databases, acme: Provisioned
) -> None:
    for statement in ("UPDATE organizations SET tier = 'enterprise'", "DELETE FROM users", "TRUNCATE tenant_usage"):
        with (
            pytest.raises(psycopg.errors.InsufficientPrivilege),
            databases.functions.tenant_transaction(acme.organization.id) as conn,
        ):
            conn.execute(statement)


def test_a_reader_shows_its_tenants_events_alone_even_where_a_statement_forgets(
    databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    for organization in (acme, globex):
        databases.clickhouse.command(
            """
            INSERT INTO events (organization_id, event_id, device_id, event_timestamp, received_at)
            VALUES ({organization:UUID}, 'same', 'same', now(), now())
            """,
            parameters={"organization": organization.organization.id},
        )
    reader = TenantReader(databases.clickhouse, acme.organization.id)
    forgetful = "SELECT organization_id, {organization_id:UUID} FROM (SELECT * FROM events) AS e"
    assert [row[0] for row in reader.query(forgetful)] == [acme.organization.id]
    joined = """
        SELECT count() FROM events AS a CROSS JOIN (SELECT * FROM events WHERE 1) AS b
        WHERE {organization_id:UUID} != generateUUIDv4()
    """
    assert reader.query(joined) == [(1,)]


def test_a_reader_refuses_a_statement_that_does_not_name_the_organization(
    databases: Databases, acme: Provisioned
) -> None:
    with pytest.raises(ValueError, match="must name"):
        TenantReader(databases.clickhouse, acme.organization.id).query("SELECT count() FROM events")


def test_a_reader_only_reads(databases: Databases, acme: Provisioned) -> None:
    reader = TenantReader(databases.clickhouse, acme.organization.id)
    with pytest.raises(Exception, match=r"READONLY|readonly"):
        reader.query("INSERT INTO daily_statistics (organization_id) SELECT {organization_id:UUID}")
