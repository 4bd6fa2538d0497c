"""ClickHouse, the engine as a library, behind its own HTTP interface."""
