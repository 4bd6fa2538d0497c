"""No row of an organization refers to a row of another, by any foreign key of PostgreSQL."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.types.json import Jsonb

from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Databases
from tests.handlers.functions import superuser
from tests.isolation.proof.canaries import Canaries, plant_canaries

LIST_FOREIGN_KEYS: Final = """
    SELECT k.conname, k.conrelid::regclass::text, k.confrelid::regclass::text,
           array(SELECT a.attname::text FROM unnest(k.conkey) AS n JOIN pg_attribute AS a
                 ON a.attrelid = k.conrelid AND a.attnum = n)
    FROM pg_constraint AS k JOIN pg_attribute AS a
      ON a.attrelid = k.conrelid AND a.attname = 'organization_id' AND NOT a.attisdropped
    WHERE k.contype = 'f' AND k.connamespace = 'public'::regnamespace ORDER BY k.conname
"""
FIND_REFERRING_ROW: Final = """
    SELECT to_jsonb(t) FROM {table} AS t WHERE organization_id = %s AND num_nulls({columns}) = 0 LIMIT 1
"""
INSERT_COPY: Final = """
    INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM jsonb_populate_record(NULL::{table}, %s)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignKey:
    """A foreign key of a tenant table, and its *columns* in that table."""

    name: str
    table: str
    referenced: str
    columns: list[str]


@pytest.fixture
def planted(databases: Databases, acme: Provisioned, globex: Provisioned) -> Iterator[psycopg.Connection[Any]]:
    """Give both organizations rows in every table, and connect as the superuser."""
    plant_canaries(databases, Canaries(), [acme.organization.id, globex.organization.id])
    with superuser(databases) as conn:
        yield conn


def discover_foreign_keys(conn: psycopg.Connection[Any]) -> list[ForeignKey]:
    """Return the foreign keys of all tables with a column organization_id."""
    rows = conn.execute(LIST_FOREIGN_KEYS).fetchall()
    return [ForeignKey(name=name, table=table, referenced=other, columns=here) for name, table, other, here in rows]


def refusal_of_a_copy(conn: psycopg.Connection[Any], key: ForeignKey, owner: UUID, *, new_owner: UUID) -> str | None:
    """Return the constraint that refuses a copy of the *owner*'s row for *new_owner*, or None.

    The copy refers to the same row as the original. Triggers of ours do not run, so that the foreign key alone decides.
    """
    table = sql.Identifier(key.table)
    columns = sql.SQL(", ").join(map(sql.Identifier, key.columns))
    [(row,)] = conn.execute(sql.SQL(FIND_REFERRING_ROW).format(table=table, columns=columns), (owner,)).fetchall()
    copy = Jsonb(row | {"organization_id": str(new_owner)})
    try:
        with conn.transaction(force_rollback=True):
            conn.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER USER").format(table))
            conn.execute(sql.SQL(INSERT_COPY).format(table=table), (copy,))
    except psycopg.errors.ForeignKeyViolation as error:
        return error.diag.constraint_name
    return None


def test_foreign_keys_between_tenant_tables_are_discovered(planted: psycopg.Connection[Any]) -> None:
    found = {(key.table, key.referenced) for key in discover_foreign_keys(planted)}

    assert {("api_keys", "apps"), ("audit_people", "audit_log"), ("export_files", "exports")} <= found
    assert ("users", "organizations") in found


def test_row_cannot_refer_to_a_row_of_another_organization(
    planted: psycopg.Connection[Any], acme: Provisioned, globex: Provisioned
) -> None:
    keys = [key for key in discover_foreign_keys(planted) if key.referenced != "organizations"]

    refused = {
        key.name: refusal_of_a_copy(planted, key, acme.organization.id, new_owner=globex.organization.id)
        for key in keys
    }

    assert refused == {key.name: key.name for key in keys}


def test_row_cannot_refer_to_an_unknown_organization(planted: psycopg.Connection[Any], acme: Provisioned) -> None:
    keys = [key for key in discover_foreign_keys(planted) if key.referenced == "organizations"]

    refused = {key.name: refusal_of_a_copy(planted, key, acme.organization.id, new_owner=uuid4()) for key in keys}

    assert [name for name, refused_by in refused.items() if refused_by is None] == []
