"""Statements of PostgreSQL that cross organizations."""
