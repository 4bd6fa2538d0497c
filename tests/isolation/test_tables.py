"""Every table that PostgreSQL has is discovered here: one with organizations in it is walled in, or fails.

Each rule is shown to bite as well: something is broken in a transaction that is never committed, and must be found.
"""

import psycopg
import pytest

from tenancy.stores.postgres.client import Connection
from tests.isolation import table_rules
from tests.isolation.table_rules import Rule

RULES = [
    table_rules.unforced_tables,
    table_rules.loose_columns,
    table_rules.unindexed_tables,
    table_rules.other_policies,
    table_rules.unpoliced_tables,
    table_rules.reachable_tables,
    table_rules.loose_foreign_keys,
    table_rules.owners_views,
]
MAKE_TABLE = "CREATE TABLE bad (organization_id uuid NOT NULL)"
MAKE_PARTITIONS = """
    CREATE TABLE whole (organization_id uuid NOT NULL) PARTITION BY HASH (organization_id);
    ALTER TABLE whole ENABLE ROW LEVEL SECURITY; ALTER TABLE whole FORCE ROW LEVEL SECURITY;
    CREATE TABLE part PARTITION OF whole FOR VALUES WITH (MODULUS 1, REMAINDER 0)
"""
ADD_CONDITION = "CREATE POLICY bad ON apps TO {role} USING (platform = 'ios') WITH CHECK (false)"
BREACHES = [
    (table_rules.unforced_tables, MAKE_TABLE, ["bad"]),
    (table_rules.unforced_tables, "ALTER TABLE organizations NO FORCE ROW LEVEL SECURITY", ["organizations"]),
    (table_rules.unforced_tables, "ALTER TABLE users DISABLE ROW LEVEL SECURITY", ["users"]),
    (table_rules.unforced_tables, MAKE_PARTITIONS, ["part"]),
    (table_rules.unforced_tables, "CREATE MATERIALIZED VIEW bad AS SELECT organization_id FROM users", ["bad"]),
    (table_rules.loose_columns, "ALTER TABLE apps ALTER COLUMN organization_id DROP NOT NULL", ["apps"]),
    (table_rules.loose_columns, "CREATE TABLE bad (organization_id text NOT NULL)", ["bad"]),
    (table_rules.unindexed_tables, MAKE_TABLE, ["bad"]),
    (
        table_rules.unindexed_tables,
        f"{MAKE_TABLE}; CREATE INDEX ON bad (organization_id) WHERE organization_id IS NULL",
        ["bad"],
    ),
    (table_rules.unindexed_tables, "DROP INDEX outbox_organization_id", ["outbox"]),
    (table_rules.other_policies, ADD_CONDITION.format(role="tenancy_functions"), ["apps.bad"]),
    (table_rules.other_policies, ADD_CONDITION.format(role="PUBLIC"), ["apps.bad"]),
    (
        table_rules.other_policies,
        f"GRANT tenancy_lookup TO tenancy_functions; {ADD_CONDITION.format(role='tenancy_lookup')}",
        ["api_keys.lookup", "apps.bad", "organizations.lookup", "users.lookup"],
    ),
    (
        table_rules.other_policies,
        "ALTER POLICY tenant_isolation ON users WITH CHECK (true)",
        ["users.tenant_isolation"],
    ),
    (table_rules.unpoliced_tables, "DROP POLICY tenant_isolation ON users", ["users"]),
    (
        table_rules.unpoliced_tables,
        f"{MAKE_TABLE}; GRANT SELECT (organization_id) ON bad TO tenancy_functions",
        ["bad"],
    ),
    (table_rules.reachable_tables, "GRANT SELECT ON roll_ups TO tenancy_functions", ["roll_ups"]),
    (table_rules.reachable_tables, "GRANT UPDATE (name) ON platform_keys TO PUBLIC", ["platform_keys"]),
    (table_rules.reachable_tables, "GRANT USAGE ON SEQUENCE outbox_id_seq TO tenancy_functions", ["outbox_id_seq"]),
    (
        table_rules.loose_foreign_keys,
        "ALTER TABLE api_keys ADD CONSTRAINT bad FOREIGN KEY (app_id) REFERENCES apps (id)",
        ["bad"],
    ),
    (
        table_rules.loose_foreign_keys,
        "ALTER TABLE api_keys ADD CONSTRAINT bad FOREIGN KEY (id) REFERENCES organizations (id)",
        ["bad"],
    ),
    (table_rules.owners_views, "CREATE VIEW bad AS SELECT * FROM users", ["bad"]),
    (table_rules.owners_views, "CREATE VIEW bad WITH (security_invoker = false) AS SELECT * FROM users", ["bad"]),
]


@pytest.mark.parametrize("rule", RULES)
def test_every_table_keeps_to_every_rule(migrated: Connection, rule: Rule) -> None:
    assert "organizations" in table_rules.tenant_tables(migrated)
    assert "users" in table_rules.tenant_tables(migrated)
    assert rule(migrated) == []


@pytest.mark.parametrize(("rule", "breach", "found"), BREACHES)
def test_what_breaks_a_rule_is_found(vandal: psycopg.Connection, rule: Rule, breach: str, found: list[str]) -> None:
    vandal.execute(breach.encode())
    assert rule(vandal) == found


def test_every_rule_is_shown_to_bite() -> None:
    assert {rule for rule, *_ in BREACHES} == set(RULES)


def test_a_view_with_the_callers_rights_keeps_to_the_rules(vandal: psycopg.Connection) -> None:
    vandal.execute("CREATE VIEW good WITH (security_invoker = true) AS SELECT organization_id, id FROM users")
    assert table_rules.owners_views(vandal) == []


@pytest.mark.parametrize("table", ["exports", "export_files", "erasures"])
def test_whether_the_organization_is_ending_is_asked_once_a_statement(migrated: Connection, table: str) -> None:
    found = migrated.execute(
        "SELECT qual FROM pg_policies WHERE tablename = %s AND policyname = 'only_ending'", (table,)
    ).fetchall()
    [(condition,)] = found
    assert "organization_id = ( SELECT current_tenant()" in condition
    assert "( SELECT is_ending(( SELECT current_tenant()" in condition
