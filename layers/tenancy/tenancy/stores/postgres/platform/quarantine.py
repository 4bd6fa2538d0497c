"""Subdomains of erased organizations, by digest. They cannot be used again for a while."""

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
    """Quarantine *subdomain*, and those that look the same, until *ends_at*.

    A longer quarantine stays unchanged.
    """
    conn.execute(INSERT_QUARANTINE, (subdomain_digest(subdomain), ends_at))


def delete_quarantines(conn: Connection, *, ended_before: datetime) -> None:
    """Delete quarantines that ended before *ended_before*."""
    conn.execute(DELETE_QUARANTINES, (ended_before,))


def is_quarantined(conn: Connection, subdomain: str, *, now: datetime) -> bool:
    """Return whether *subdomain*, or one that looks the same, is in quarantine."""
    [(is_in_quarantine,)] = conn.execute(IS_QUARANTINED, (subdomain_digest(subdomain), now))
    return bool(is_in_quarantine)
