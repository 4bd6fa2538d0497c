"""ClickHouse statements that cross organizations or write."""
