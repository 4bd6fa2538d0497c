"""The embedded stack: PostgreSQL, Valkey, ClickHouse and AWS on one machine, without an account and without Docker."""
