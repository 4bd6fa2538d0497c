"""Every table that PostgreSQL has is discovered here: one with organizations in it is walled in, or fails."""

from collections.abc import Iterator

import pytest

from tenancy.stores.clickhouse import TENANT_TABLES
from tests.given import Databases

LIST_TABLES = """
    SELECT c.oid::regclass::text AS name, c.relrowsecurity, c.relforcerowsecurity,
           CASE WHEN c.relname = 'organizations' THEN 'id' ELSE 'organization_id' END AS tenant_column
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND n.nspname = 'public'
      AND (c.relname = 'organizations' OR EXISTS (
          SELECT FROM pg_attribute AS a
          WHERE a.attrelid = c.oid AND a.attname = 'organization_id' AND NOT a.attisdropped
      ))
    ORDER BY name
"""
TABLES_WITHOUT_TENANTS = {"leases", "platform_keys", "roll_ups", "schema_migrations"}


@pytest.fixture
def tables(databases: Databases) -> Iterator[list[tuple[str, bool, bool, str]]]:
    with databases.owner.transaction() as conn:
        yield conn.execute(LIST_TABLES).fetchall()


def test_every_other_table_is_known_to_hold_no_tenants_rows(
    databases: Databases, tables: list[tuple[str, ...]]
) -> None:
    with databases.owner.transaction() as conn:
        every = {name for (name,) in conn.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}
    assert every - {name for name, *_ in tables} == TABLES_WITHOUT_TENANTS


def test_row_level_security_is_on_and_forced_on_every_tenant_table(tables: list[tuple[str, bool, bool, str]]) -> None:
    assert tables
    assert [name for name, enabled, forced, _ in tables if not (enabled and forced)] == []


def test_the_functions_role_sees_a_tenants_rows_through_one_condition_only(
    databases: Databases, tables: list[tuple[str, ...]]
) -> None:
    statement = """
        SELECT qual, with_check FROM pg_policies
        WHERE tablename = %s AND 'tenancy_functions' = ANY (roles) AND permissive = 'PERMISSIVE'
    """
    for name, _, _, column in tables:
        with databases.owner.transaction() as conn:
            policies = conn.execute(statement, (name,)).fetchall()
        condition = f"({column} = ( SELECT current_tenant() AS current_tenant))"
        assert policies == [(condition, condition)], name


def test_every_tenant_table_has_an_index_that_starts_with_the_organization(
    databases: Databases, tables: list[tuple[str, ...]]
) -> None:
    statement = """
        SELECT EXISTS (
            SELECT FROM pg_index AS i JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
            WHERE i.indrelid = %s::regclass AND a.attname = %s
        )
    """
    with databases.owner.transaction() as conn:
        assert [
            name for name, _, _, column in tables if conn.execute(statement, (name, column)).fetchone() != (True,)
        ] == []


def test_a_foreign_key_between_tenant_tables_contains_the_organization(
    databases: Databases, tables: list[tuple[str, ...]]
) -> None:
    statement = """
        SELECT conname, array(SELECT attname FROM pg_attribute WHERE attrelid = conrelid AND attnum = ANY (conkey))
        FROM pg_constraint WHERE contype = 'f' AND confrelid <> 'organizations'::regclass
    """
    with databases.owner.transaction() as conn:
        for name, columns in conn.execute(statement):
            assert "organization_id" in columns, name
    assert tables


def test_no_role_of_ours_can_step_around_the_policies(databases: Databases) -> None:
    statement = "SELECT rolname FROM pg_roles WHERE rolname LIKE 'tenancy_%' AND (rolsuper OR rolbypassrls)"
    with databases.owner.transaction() as conn:
        assert conn.execute(statement).fetchall() == []
        owned = conn.execute("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'").fetchall()
        assert owned == [("tenancy_owner",)]


def test_a_definer_function_belongs_to_the_look_up_role_and_pins_its_search_path(databases: Databases) -> None:
    statement = """
        SELECT p.proname, pg_get_userbyid(p.proowner), p.proconfig FROM pg_proc AS p
        JOIN pg_namespace AS n ON n.oid = p.pronamespace WHERE n.nspname = 'public' AND p.prosecdef
    """
    with databases.owner.transaction() as conn:
        functions = conn.execute(statement).fetchall()
    assert functions
    assert {tuple(rest) for _, *rest in ((name, owner, tuple(config)) for name, owner, config in functions)} == {
        ("tenancy_lookup", ("search_path=pg_catalog, pg_temp",))
    }


def test_a_reader_filters_every_clickhouse_table_that_has_organizations(databases: Databases) -> None:
    statement = """
        SELECT DISTINCT table FROM system.columns
        WHERE database = currentDatabase() AND name = 'organization_id'
    """
    assert {table for (table,) in databases.clickhouse.query(statement).result_rows} == set(TENANT_TABLES)
