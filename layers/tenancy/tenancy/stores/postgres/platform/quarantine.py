"""Subdomains of erased organizations, by digest, under which nobody may be found for a while."""

from datetime import datetime
from typing import Final

from tenancy.rules.organization import subdomain_digest
from tenancy.stores.postgres.client import Connection

INSERT_QUARANTINE: Final = """
    INSERT INTO quarantined_subdomains AS q (digest, ends_at) VALUES (%s, %s)
    ON CONFLICT (digest) DO UPDATE SET ends_at = greatest(q.ends_at, excluded.ends_at)
"""
DELETE_QUARANTINES: Final = "DELETE FROM quarantined_subdomains WHERE ends_at < %s"
IS_QUARANTINED: Final = "SELECT EXISTS (SELECT FROM quarantined_subdomains WHERE digest = %s AND ends_at > %s)"


def insert_quarantine(conn: Connection, subdomain: str, *, ends_at: datetime) -> None:
    """Keep *subdomain*, and what looks like it, from everybody until *ends_at*; a longer quarantine stays."""
    conn.execute(INSERT_QUARANTINE, (subdomain_digest(subdomain), ends_at))


def delete_quarantines(conn: Connection, *, ended_before: datetime) -> None:
    """Forget those that have ended."""
    conn.execute(DELETE_QUARANTINES, (ended_before,))


def is_quarantined(conn: Connection, subdomain: str, *, now: datetime) -> bool:
    """Whether *subdomain*, or what looks like it, was an erased organization's until lately."""
    [(is_kept,)] = conn.execute(IS_QUARANTINED, (subdomain_digest(subdomain), now))
    return bool(is_kept)
