"""ClickHouse: reads of one tenant's rows, always through a reader that is bound to the tenant."""
