"""Migrations of ClickHouse: one that died before its version was stored runs again, and a cluster replicates tables."""

from pathlib import Path

import pytest

from tenancy.stores.clickhouse.platform.migrations import CREATE_VERSIONS, replicate, run_script
from tests.given import MIGRATIONS, Databases

FILES = sorted((MIGRATIONS / "clickhouse").glob("*.sql"))
SCRIPTS = {"versions": CREATE_VERSIONS} | {file.stem: file.read_text() for file in FILES}
LIST_COLUMNS = """
    SELECT table, name, type, default_expression, position FROM system.columns
    WHERE database = currentDatabase() ORDER BY table, position
"""
FIND_SORT_KEY = "SELECT sorting_key FROM system.tables WHERE database = currentDatabase() AND name = 'daily_statistics'"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_migration_can_run_again(databases: Databases, file: Path) -> None:
    before = databases.clickhouse.query(LIST_COLUMNS).result_rows

    run_script(databases.clickhouse, file.read_text())

    assert databases.clickhouse.query(LIST_COLUMNS).result_rows == before


def test_statistics_of_two_apps_do_not_replace_each_other(databases: Databases) -> None:
    [(sort_key,)] = databases.clickhouse.query(FIND_SORT_KEY).result_rows

    assert sort_key == "organization_id, event_date, event_type, event_name, platform, currency, app_id"


@pytest.mark.parametrize("name", SCRIPTS)
def test_engine_parses_both_forms(databases: Databases, name: str) -> None:
    forms = [SCRIPTS[name], replicate(SCRIPTS[name])]

    described = [describe(databases, form) for form in forms]

    assert [each.count("MergeTree") for each in described] == [SCRIPTS[name].count("ENGINE =")] * 2


@pytest.mark.parametrize("name", SCRIPTS)
def test_replicated_form_replicates_every_table(databases: Databases, name: str) -> None:
    described = describe(databases, replicate(SCRIPTS[name]))

    assert described.count("Function Replicated") == SCRIPTS[name].count("CREATE TABLE")


def test_replicated_form_keeps_the_deduplication_window() -> None:
    assert "\nSETTINGS replicated_deduplication_window = 1000" in replicate(SCRIPTS["0001_events"])


def describe(databases: Databases, statement: str) -> str:
    return databases.clickhouse.raw_query(f"EXPLAIN AST {statement}", fmt="TSV").decode()
