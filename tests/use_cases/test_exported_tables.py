"""Each table of organizations is read for an export, or is on a list with the reason."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from tenancy.stores.clickhouse.client import TENANT_TABLES, TenantReader
from tenancy.stores.postgres.exported_rows import NOT_EXPORTED
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.privacy.export_pages import SECTIONS, ExportSource
from tests.given import Databases
from tests.handlers.functions import superuser
from tests.isolation.proof.discovery.tables import discover_tables
from tests.use_cases.privacy_jobs import store_sample_data

READ_TABLE = re.compile(r"\b(?:FROM|JOIN)\s+(\w+)", re.IGNORECASE)


@contextmanager
def recorded(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """List the statements of PostgreSQL that run in the block."""
    statements: list[str] = []
    with monkeypatch.context() as patch:
        for owner in (psycopg.Connection, psycopg.Cursor):
            patch.setattr(owner, "execute", _recording(owner.execute, statements))
        yield statements


def _recording(execute: Any, statements: list[str]) -> Any:  # noqa: ANN401 - methods of psycopg
    def recording(self: Any, query: Any, *values: Any, **named: Any) -> Any:  # noqa: ANN401
        statements.append(str(query))
        return execute(self, query, *values, **named)

    return recording


@pytest.fixture
def read_tables(databases: Databases, acme: Provisioned, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Return the tables of PostgreSQL that the first pages of all sections are read from."""
    store_sample_data(databases, acme, "of acme")
    organization_id = acme.organization.id
    reader = TenantReader(databases.clickhouse, organization_id)
    source = ExportSource(db=databases.functions, reader=reader, organization_id=organization_id)
    with recorded(monkeypatch) as statements:
        for read in SECTIONS.values():
            read(source, None)
    return {table for statement in statements for table in READ_TABLE.findall(statement)}


def test_each_table_is_exported_or_has_a_reason(databases: Databases, read_tables: set[str]) -> None:
    with superuser(databases) as conn:
        tables = {table.name for table in discover_tables(conn)}

    assert tables - read_tables == set(NOT_EXPORTED)


def test_each_reason_is_a_text() -> None:
    assert [table for table, reason in NOT_EXPORTED.items() if len(reason.split()) < 3] == []


def test_each_table_of_events_is_a_section() -> None:
    assert set(TENANT_TABLES) <= set(SECTIONS)
