"""Migrations of ClickHouse: one that died before its version was stored runs again."""

from pathlib import Path

import pytest

from tenancy.stores.clickhouse.platform.migrations import run_script
from tests.given import MIGRATIONS, Databases

FILES = sorted((MIGRATIONS / "clickhouse").glob("*.sql"))
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
