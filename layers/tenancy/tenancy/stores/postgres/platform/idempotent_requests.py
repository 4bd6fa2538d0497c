"""Expired answers to requests with an `Idempotency-Key`, of all organizations."""

from datetime import datetime
from typing import Final

from tenancy.stores.postgres.client import Connection

DELETE_ANSWERS_BEFORE: Final = "DELETE FROM idempotent_requests WHERE created_at < %s"


def delete_answers_before(conn: Connection, *, created_before: datetime) -> None:
    """Delete the answers created before *created_before*."""
    conn.execute(DELETE_ANSWERS_BEFORE, (created_before,))
