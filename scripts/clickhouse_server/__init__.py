"""Real ClickHouse servers in containers, and the tests that run on them."""
