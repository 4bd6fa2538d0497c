"""What clients report of their own use: the ledger, its sums, and room that is set aside."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Literal
from uuid import UUID

from psycopg.errors import UniqueViolation
from psycopg.rows import class_row

from tenancy.errors import IdempotencyKeyReusedError
from tenancy.rules.quotas import Allowance, Metric, period_of
from tenancy.stores.postgres.client import Connection

# The row is made where it is missing, and then locked either way: whoever reports or reserves waits for the other.
LOCK_TOTAL: Final = """
    INSERT INTO usage_totals (organization_id, metric, period, used) VALUES (%s, %s, %s, 0)
    ON CONFLICT (organization_id, metric, period) DO UPDATE SET used = usage_totals.used
    RETURNING used
"""
SUM_USED: Final = "SELECT used FROM usage_totals WHERE organization_id = %s AND metric = %s AND period = %s"
UPDATE_TOTAL: Final = """
    UPDATE usage_totals SET used = used + %s WHERE organization_id = %s AND metric = %s AND period = %s
    RETURNING used
"""
SUM_RESERVED: Final = """
    SELECT coalesce(sum(amount), 0)::bigint FROM usage_reservations
    WHERE organization_id = %s AND metric = %s AND status = 'open' AND expires_at > %s
"""
FIND_MEASURED_BYTES: Final = "SELECT storage_bytes FROM measurements WHERE organization_id = %s"
FIND_ENTRY: Final = """
    SELECT metric, amount, used_after, limit_after, reserved_after FROM usage_ledger
    WHERE organization_id = %s AND idempotency_key = %s
"""
INSERT_ENTRY: Final = """
    INSERT INTO usage_ledger (
        id, organization_id, metric, metric_date, amount, used_after, limit_after, reserved_after, idempotency_key,
        created_at
    )
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
INSERT_RESERVATION: Final = """
    INSERT INTO usage_reservations (id, organization_id, metric, amount, expires_at, created_at)
    VALUES (%s, %s, %s, %s, %s, %s)
"""
LOCK_RESERVATION: Final = """
    SELECT id, metric, amount, status, expires_at FROM usage_reservations
    WHERE organization_id = %s AND id = %s FOR UPDATE
"""
UPDATE_RESERVATION: Final = "UPDATE usage_reservations SET status = %s WHERE organization_id = %s AND id = %s"


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """A report that was made before, and what its answer said."""

    metric: str
    amount: int
    used_after: int
    limit_after: int | None
    reserved_after: int

    @property
    def answered(self) -> Allowance:
        """What that answer said."""
        return Allowance(used=self.used_after, limit=self.limit_after, reserved=self.reserved_after)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """Room that was set aside; *status* is open, committed or released."""

    id: UUID
    metric: str
    amount: int
    status: str
    expires_at: datetime


def lock_used(conn: Connection, organization_id: UUID, metric: Metric, *, today: date) -> int:
    """Return the sum of what was reported for *metric* in its period; others wait for the transaction's end."""
    row = conn.execute(LOCK_TOTAL, (organization_id, metric, period_of(metric, today))).fetchone()
    return row[0] if row else 0


def sum_used(conn: Connection, organization_id: UUID, metric: Metric, *, today: date) -> int:
    """Return the sum of what was reported for *metric* in its period."""
    row = conn.execute(SUM_USED, (organization_id, metric, period_of(metric, today))).fetchone()
    return row[0] if row else 0


def add_used(conn: Connection, organization_id: UUID, metric: Metric, amount: int, *, today: date) -> int:
    """Add *amount* to the sum of *metric*, which is locked, and return the sum."""
    row = conn.execute(UPDATE_TOTAL, (amount, organization_id, metric, period_of(metric, today))).fetchone()
    return row[0] if row else 0


def sum_reserved(conn: Connection, organization_id: UUID, metric: Metric, *, now: datetime) -> int:
    """Return how much of *metric* is set aside, without what has expired."""
    row = conn.execute(SUM_RESERVED, (organization_id, metric, now)).fetchone()
    return row[0] if row else 0


def find_measured_bytes(conn: Connection, organization_id: UUID) -> int:
    """Return how many bytes of events the last roll-up found, 0 before the first."""
    row = conn.execute(FIND_MEASURED_BYTES, (organization_id,)).fetchone()
    return row[0] if row else 0


def find_ledger_entry(conn: Connection, organization_id: UUID, idempotency_key: str) -> LedgerEntry | None:
    """Return the report that came with that key, None for a new one."""
    with conn.cursor(row_factory=class_row(LedgerEntry)) as cursor:
        return cursor.execute(FIND_ENTRY, (organization_id, idempotency_key)).fetchone()


def insert_ledger_entry(
    conn: Connection,
    organization_id: UUID,
    entry_id: UUID,
    metric: Metric,
    amount: int,
    *,
    answered: Allowance,
    idempotency_key: str | None,
    now: datetime,
) -> None:
    """Write a report to the ledger, with what it is *answered*; its sum is another row.

    Raises:
        IdempotencyKeyReusedError: the key came with a report of another metric, at the same time.
    """
    answer = (answered.used, answered.limit, answered.reserved)
    values = (entry_id, organization_id, metric, now.date(), amount, *answer, idempotency_key, now)
    try:
        conn.execute(INSERT_ENTRY, values)
    except UniqueViolation as error:
        if error.diag.constraint_name == "usage_ledger_organization_id_idempotency_key_key":
            raise IdempotencyKeyReusedError("The Idempotency-Key came with another report.") from error
        raise


def insert_reservation(
    conn: Connection,
    organization_id: UUID,
    reservation_id: UUID,
    metric: Metric,
    amount: int,
    *,
    expires_at: datetime,
    now: datetime,
) -> None:
    """Set *amount* of *metric* aside until then."""
    conn.execute(INSERT_RESERVATION, (reservation_id, organization_id, metric, amount, expires_at, now))


def lock_reservation(conn: Connection, organization_id: UUID, reservation_id: UUID) -> Reservation | None:
    """Return the reservation, which nobody else changes until the transaction ends; None when there is none."""
    with conn.cursor(row_factory=class_row(Reservation)) as cursor:
        return cursor.execute(LOCK_RESERVATION, (organization_id, reservation_id)).fetchone()


def update_reservation(
    conn: Connection, organization_id: UUID, reservation_id: UUID, status: Literal["committed", "released"]
) -> None:
    """Commit or release the reservation."""
    conn.execute(UPDATE_RESERVATION, (status, organization_id, reservation_id))
