"""Every table and view in PostgreSQL follows the rules, and every rule finds a breach."""

import json

import psycopg
import pytest

from scripts.release_names import FILE
from tenancy.stores.postgres.client import Connection
from tests.isolation import table_rules
from tests.isolation.table_rules import Rule

RULES = [
    table_rules.tables_without_forced_rls,
    table_rules.loose_organization_columns,
    table_rules.tables_without_index,
    table_rules.unexpected_policies,
    table_rules.tables_without_policy,
    table_rules.accessible_platform_tables,
    table_rules.foreign_keys_without_organization,
    table_rules.tables_without_composite_key,
    table_rules.replica_identities_without_organization,
    table_rules.unique_among_organizations,
    table_rules.tables_without_home,
    table_rules.exposed_look_ups,
    table_rules.views_with_owner_rights,
]
CREATE_TABLE = "CREATE TABLE bad (organization_id uuid NOT NULL)"
CREATE_PARTITION = """
    CREATE TABLE whole (organization_id uuid NOT NULL) PARTITION BY HASH (organization_id);
    ALTER TABLE whole ENABLE ROW LEVEL SECURITY; ALTER TABLE whole FORCE ROW LEVEL SECURITY;
    CREATE TABLE part PARTITION OF whole FOR VALUES WITH (MODULUS 1, REMAINDER 0)
"""
CREATE_POLICY = "CREATE POLICY bad ON apps TO {role} USING (platform = 'ios') WITH CHECK (false)"
REFER_TO_ID = """
    ALTER TABLE apps ADD UNIQUE (id);
    ALTER TABLE api_keys ADD CONSTRAINT bad FOREIGN KEY (app_id) REFERENCES apps (id)
"""
# By rule: statements that break it, and the names that the rule must then return.
BREACHES = {
    table_rules.tables_without_forced_rls: [
        (CREATE_TABLE, ["bad"]),
        ("ALTER TABLE organizations NO FORCE ROW LEVEL SECURITY", ["organizations"]),
        ("ALTER TABLE users DISABLE ROW LEVEL SECURITY", ["users"]),
        (CREATE_PARTITION, ["part"]),
        ("CREATE MATERIALIZED VIEW bad AS SELECT organization_id FROM users", ["bad"]),
    ],
    table_rules.loose_organization_columns: [
        ("CREATE TABLE bad (organization_id uuid)", ["bad"]),
        ("CREATE TABLE bad (organization_id text NOT NULL)", ["bad"]),
    ],
    table_rules.tables_without_index: [
        (CREATE_TABLE, ["bad"]),
        (f"{CREATE_TABLE}; CREATE INDEX ON bad (organization_id) WHERE organization_id IS NULL", ["bad"]),
        ("ALTER TABLE outbox DROP CONSTRAINT outbox_pkey", ["outbox"]),
    ],
    table_rules.unexpected_policies: [
        (CREATE_POLICY.format(role="tenancy_functions"), ["apps.bad"]),
        (CREATE_POLICY.format(role="PUBLIC"), ["apps.bad"]),
        (
            f"GRANT tenancy_lookup TO tenancy_functions; {CREATE_POLICY.format(role='tenancy_lookup')}",
            [
                "api_keys.lookup",
                "apps.bad",
                "catalogue_entries.lookup",
                "custom_domains.lookup",
                "key_digests.lookup",
                "listed_custom_domains.lookup",
                "moved_organizations.lookup",
                "organization_homes.lookup",
                "organizations.lookup",
                "users.lookup",
            ],
        ),
        ("ALTER POLICY tenant_isolation ON users WITH CHECK (true)", ["users.tenant_isolation"]),
    ],
    table_rules.tables_without_policy: [
        ("DROP POLICY tenant_isolation ON users", ["users"]),
        (f"{CREATE_TABLE}; GRANT SELECT (organization_id) ON bad TO tenancy_functions", ["bad"]),
    ],
    table_rules.accessible_platform_tables: [
        ("GRANT SELECT ON roll_ups TO tenancy_functions", ["roll_ups"]),
        ("GRANT UPDATE (name) ON platform_keys TO PUBLIC", ["platform_keys"]),
        ("GRANT USAGE ON SEQUENCE outbox_id_seq TO tenancy_functions", ["outbox_id_seq"]),
    ],
    table_rules.foreign_keys_without_organization: [
        (REFER_TO_ID, ["bad"]),
        ("ALTER TABLE api_keys ADD CONSTRAINT bad FOREIGN KEY (id) REFERENCES organizations (id)", ["bad"]),
    ],
    table_rules.tables_without_composite_key: [
        (CREATE_TABLE, ["bad"]),
        ("CREATE TABLE bad (organization_id uuid NOT NULL, id uuid PRIMARY KEY)", ["bad"]),
        ("CREATE TABLE bad (organization_id uuid NOT NULL, id uuid, PRIMARY KEY (id, organization_id))", ["bad"]),
        ("CREATE TABLE bad (organization_id uuid NOT NULL, id uuid, UNIQUE (organization_id, id))", ["bad"]),
        ("CREATE MATERIALIZED VIEW bad AS SELECT organization_id FROM users", ["bad"]),
    ],
    table_rules.replica_identities_without_organization: [
        (CREATE_TABLE, ["bad"]),
        ("ALTER TABLE outbox REPLICA IDENTITY NOTHING", ["outbox"]),
        ("ALTER TABLE key_digests REPLICA IDENTITY USING INDEX key_digests_digest_key", ["key_digests"]),
        ("ALTER TABLE apps REPLICA IDENTITY FULL", []),
    ],
    table_rules.unique_among_organizations: [
        ("ALTER TABLE users ADD CONSTRAINT bad UNIQUE (email)", ["bad"]),
        ("CREATE UNIQUE INDEX bad ON organizations (name)", ["bad"]),
        ("CREATE UNIQUE INDEX bad ON apps (name) INCLUDE (organization_id)", ["bad"]),
        ("CREATE UNIQUE INDEX bad ON apps (lower(name)) WHERE status = 'active'", ["bad"]),
        ("ALTER TABLE outbox ADD CONSTRAINT bad EXCLUDE USING btree (kind WITH =)", ["bad"]),
    ],
    table_rules.tables_without_home: [
        ("DROP POLICY home ON tenant_usage", ["tenant_usage"]),
        ("ALTER POLICY home ON api_keys TO tenancy_platform", ["api_keys"]),
        ("ALTER POLICY home ON organizations USING (true)", ["organizations"]),
        (f"{CREATE_TABLE}; CREATE POLICY platform ON bad TO tenancy_platform USING (true)", ["bad"]),
        (CREATE_POLICY.format(role="tenancy_platform"), ["apps"]),
    ],
    table_rules.exposed_look_ups: [
        ("GRANT SELECT ON key_digests TO tenancy_functions", ["key_digests: tenancy_functions"]),
        ("GRANT SELECT (subdomain) ON organization_names TO PUBLIC", ["organization_names: PUBLIC"]),
        ("CREATE POLICY bad ON key_digests TO tenancy_authorizer USING (true)", ["key_digests: tenancy_authorizer"]),
    ],
    table_rules.views_with_owner_rights: [
        ("CREATE VIEW bad AS SELECT * FROM users", ["bad"]),
        ("CREATE VIEW bad WITH (security_invoker = false) AS SELECT * FROM users", ["bad"]),
    ],
}


def test_tenant_tables_are_discovered(migrated: Connection) -> None:
    assert {"organizations", "users", "outbox"} <= set(table_rules.tenant_tables(migrated))


@pytest.mark.parametrize("rule", RULES)
def test_every_table_follows_the_rule(migrated: Connection, rule: Rule) -> None:
    assert rule(migrated) == []


@pytest.mark.parametrize(
    ("rule", "breach", "found"), [(rule, *case) for rule, cases in BREACHES.items() for case in cases]
)
def test_rule_finds_a_breach(
    superuser_connection: psycopg.Connection, rule: Rule, breach: str, found: list[str]
) -> None:
    superuser_connection.execute(breach.encode())

    assert rule(superuser_connection) == found


def test_every_rule_has_a_breach() -> None:
    assert set(BREACHES) == set(RULES)


def test_view_with_the_callers_rights_is_allowed(superuser_connection: psycopg.Connection) -> None:
    superuser_connection.execute("CREATE VIEW good WITH (security_invoker = true) AS SELECT id FROM users")

    assert table_rules.views_with_owner_rights(superuser_connection) == []


@pytest.mark.parametrize("table", ["exports", "export_files", "erasures", "dead_letters"])
def test_delete_policy_reads_the_status_once_per_statement(migrated: Connection, table: str) -> None:
    """PostgreSQL evaluates a sub-select once, but a plain function call for each row."""
    statement = "SELECT qual FROM pg_policies WHERE tablename = %s AND policyname = 'only_ending'"

    [(condition,)] = migrated.execute(statement, (table,)).fetchall()

    assert "organization_id = ( SELECT current_tenant()" in condition
    assert "( SELECT is_ending(( SELECT current_tenant()" in condition


def test_look_up_tables_exist(migrated: Connection) -> None:
    assert set(table_rules.LOOK_UP_TABLES) <= set(table_rules.tenant_tables(migrated))


def test_indexes_of_the_release_before_are_kept_for_it(migrated: Connection) -> None:
    """Functions of the release before need them in ON CONFLICT.

    Once the release before has migration 0019, this test demands the migration that drops them:
    DROP INDEX audit_log_id_key, audit_refusals_id_key.
    """
    before = json.loads(FILE.read_text())["migrations"]
    is_retired = any("/0019_composite_keys.sql" in migration for migration in before)
    kept = list(table_rules.KEPT_FOR_ONE_RELEASE)

    found = migrated.execute("SELECT relname FROM pg_class WHERE relname = ANY (%s) ORDER BY relname", (kept,))

    assert [name for (name,) in found] == ([] if is_retired else kept)
