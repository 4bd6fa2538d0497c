"""Leases, which allow one sweep or roll-up at a time, and claims of jobs."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from tenancy.stores.postgres.client import Connection

TAKE_LEASE: Final = """
    INSERT INTO leases (name, holder, ends_at) VALUES (%(name)s, %(holder)s, %(ends_at)s)
    ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, ends_at = excluded.ends_at
    WHERE leases.ends_at <= %(now)s
    RETURNING name
"""
HAS_LEASES: Final = """
    SELECT EXISTS (SELECT FROM leases WHERE name = ANY(%(names)s) AND ends_at > %(now)s AND ends_at < %(before)s)
"""
DELETE_LEASE: Final = "DELETE FROM leases WHERE name = %s AND holder = %s"
# An erasure may be due again later. It is claimed while its due time equals the end of its claim.
HAS_CLAIMS: Final = """
    SELECT EXISTS (
        SELECT due_at FROM exports
        WHERE organization_id = %(organization_id)s AND status = 'pending' AND due_at > %(now)s AND due_at <= %(until)s
        UNION ALL
        SELECT due_at FROM erasures
        WHERE organization_id = %(organization_id)s AND due_at = claimed_until AND due_at > %(now)s
          AND due_at <= %(until)s
    )
"""


def take_lease(conn: Connection, name: str, holder: UUID, *, now: datetime, ends_at: datetime) -> bool:
    """Take the lease for *holder*, and return whether that succeeded.

    It fails while another holder's lease has not ended.
    """
    values = {"name": name, "holder": holder, "now": now, "ends_at": ends_at}
    return conn.execute(TAKE_LEASE, values).fetchone() is not None


def has_active_leases(conn: Connection, names: Sequence[str], *, now: datetime, ending_before: datetime) -> bool:
    """Return whether one of the leases *names* is held and ends before *ending_before*."""
    values = {"names": list(names), "now": now, "before": ending_before}
    return conn.execute(HAS_LEASES, values).fetchone() == (True,)


def delete_lease(conn: Connection, name: str, holder: UUID) -> None:
    """Delete the lease if *holder* still has it."""
    conn.execute(DELETE_LEASE, (name, holder))


def has_claimed_jobs(conn: Connection, organization_id: UUID, *, now: datetime, until: datetime) -> bool:
    """Return whether a worker may have a job of the organization whose claim ends by *until*."""
    values = {"organization_id": organization_id, "now": now, "until": until}
    return conn.execute(HAS_CLAIMS, values).fetchone() == (True,)
