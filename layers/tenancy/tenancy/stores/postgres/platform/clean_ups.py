"""The months whose clean-up has finished."""

from datetime import date, datetime
from typing import Final

from tenancy.stores.postgres.client import Connection

HAS_CLEAN_UP: Final = "SELECT EXISTS (SELECT FROM clean_ups WHERE month = %s)"
INSERT_CLEAN_UP: Final = "INSERT INTO clean_ups (month, finished_at) VALUES (%s, %s) ON CONFLICT DO NOTHING"


def has_clean_up(conn: Connection, month: date) -> bool:
    """Return whether the clean-up of the month that starts on *month* has finished."""
    return conn.execute(HAS_CLEAN_UP, (month,)).fetchone() == (True,)


def insert_clean_up(conn: Connection, month: date, *, finished_at: datetime) -> None:
    """Store that the clean-up of the month has finished."""
    conn.execute(INSERT_CLEAN_UP, (month, finished_at))
