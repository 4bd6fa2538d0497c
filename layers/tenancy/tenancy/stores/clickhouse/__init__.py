"""Stores in ClickHouse. A reader that is bound to one tenant reads all rows."""
