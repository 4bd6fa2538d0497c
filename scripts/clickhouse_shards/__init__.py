"""ClickHouse with shards on the embedded engine, and the statements that it runs there."""
