"""The schema follows the rules of a distributed PostgreSQL, with the organization as the distribution column."""

import psycopg
import pytest

from tenancy.stores.postgres.client import Connection
from tests.isolation import distribution_rules as rules
from tests.isolation.table_rules import Rule

CREATE = "CREATE TABLE bad (organization_id uuid NOT NULL, id {type}, PRIMARY KEY ({key})); {more}"

# By rule: statements that break it, and the names that the rule must then return.
BREACHES = {
    rules.undivided_tables: [
        ("CREATE TABLE bad (id uuid PRIMARY KEY)", ["bad"]),
        ("CREATE TABLE bad (organization_id text, PRIMARY KEY (organization_id))", ["bad"]),
    ],
    rules.unique_without_organization: [
        (CREATE.format(type="uuid", key="id", more=""), ["bad_pkey"]),
        ("CREATE TABLE bad (organization_id uuid NOT NULL)", ["bad without a primary key"]),
        ("CREATE UNIQUE INDEX bad ON users (email)", ["bad"]),
    ],
    rules.foreign_keys_between_nodes: [
        (
            """
            ALTER TABLE apps ADD CONSTRAINT apps_id_key UNIQUE (id);
            ALTER TABLE api_keys ADD CONSTRAINT bad FOREIGN KEY (app_id) REFERENCES apps (id)
            """,
            ["bad"],
        ),
        (
            "ALTER TABLE key_digests ADD CONSTRAINT bad FOREIGN KEY (organization_id) REFERENCES organizations (id)",
            ["bad"],
        ),
        (
            """
            ALTER TABLE branding_images ADD CONSTRAINT bad FOREIGN KEY (organization_id)
                REFERENCES tenant_branding (organization_id) ON DELETE SET NULL
            """,
            ["bad"],
        ),
    ],
    rules.narrow_identities: [
        (
            CREATE.format(type="integer GENERATED ALWAYS AS IDENTITY", key="organization_id, id", more=""),
            ["bad.id"],
        ),
    ],
    rules.unexplained_triggers: [
        ("CREATE TRIGGER bad AFTER INSERT ON apps FOR EACH ROW EXECUTE FUNCTION list_key_digest()", ["bad"]),
    ],
    rules.other_relations: [
        ("CREATE VIEW bad AS SELECT 1", ["bad"]),
        ("CREATE TABLE bad () INHERITS (users)", ["bad"]),
    ],
}


@pytest.mark.parametrize("rule", BREACHES)
def test_schema_follows_the_rule(migrated: Connection, rule: Rule) -> None:
    assert rule(migrated) == []


@pytest.mark.parametrize(
    ("rule", "breach", "found"), [(rule, *case) for rule, cases in BREACHES.items() for case in cases]
)
def test_rule_finds_a_breach(
    superuser_connection: psycopg.Connection, rule: Rule, breach: str, found: list[str]
) -> None:
    superuser_connection.execute(breach.encode())

    assert rule(superuser_connection) == found


def test_each_named_relation_exists(migrated: Connection) -> None:
    tables = {name for (name,) in migrated.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}
    indexes = {name for (name,) in migrated.execute("SELECT indexname FROM pg_indexes WHERE schemaname = 'public'")}
    triggers = {name for (name,) in migrated.execute("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal")}

    assert {*rules.REFERENCE, *rules.LOCAL} <= tables
    assert set(rules.UNIQUE_WITHOUT_ORGANIZATION) <= indexes
    assert set(rules.TRIGGERS) == triggers
