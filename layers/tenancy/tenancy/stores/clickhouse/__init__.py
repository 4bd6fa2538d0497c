"""Stores in ClickHouse. Every read of a tenant's rows goes through a reader that is bound to this tenant."""
