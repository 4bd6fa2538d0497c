"""Leases: one sweep or roll-up at a time, whatever the scheduler does; and who else may still write for long."""

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
# An erasure is due again some day; it is claimed while that is when the claim ends.
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
    """Become the holder of the lease, unless another's has not ended; say whether it worked."""
    values = {"name": name, "holder": holder, "now": now, "ends_at": ends_at}
    return conn.execute(TAKE_LEASE, values).fetchone() is not None


def has_active_leases(conn: Connection, names: Sequence[str], *, now: datetime, ending_before: datetime) -> bool:
    """Whether somebody holds one of the leases called *names* that ends *ending_before* then."""
    values = {"names": list(names), "now": now, "before": ending_before}
    return conn.execute(HAS_LEASES, values).fetchone() == (True,)


def delete_lease(conn: Connection, name: str, holder: UUID) -> None:
    """Give the lease back, if it is still *holder*'s."""
    conn.execute(DELETE_LEASE, (name, holder))


def has_claimed_jobs(conn: Connection, organization_id: UUID, *, now: datetime, until: datetime) -> bool:
    """Whether a worker may have a job of the organization that it took before *until* less `CLAIM_TIME`."""
    values = {"organization_id": organization_id, "now": now, "until": until}
    return conn.execute(HAS_CLAIMS, values).fetchone() == (True,)
