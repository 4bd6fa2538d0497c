"""Ingest: from a request to the queue, and from the queue to ClickHouse."""
