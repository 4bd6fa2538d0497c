"""Statements of ClickHouse that cross organizations, or write."""
