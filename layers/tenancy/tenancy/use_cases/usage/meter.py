"""Metering: record and reserve the usage that clients report, before the answer.

Reasons: docs/decisions/0009-durable-metering.md.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from tenancy.errors import (
    ConflictError,
    FieldError,
    IdempotencyKeyReusedError,
    InvalidError,
    NotFoundError,
)
from tenancy.rules.quotas import Allowance, Metric, limit_of, list_reached_thresholds, quota_exceeded
from tenancy.rules.tenant import AdmittedTenant
from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.metering import (
    Reservation,
    add_used,
    find_ledger_entry,
    find_measured_bytes,
    insert_ledger_entry,
    insert_reservation,
    lock_reservation,
    lock_used,
    sum_reserved,
    update_reservation,
)
from tenancy.stores.postgres.quota_notices import insert_notices

MAX_TOTAL: Final = 2**53 - 1  # JavaScript reads no larger whole number exactly
OPEN: Final = "open"
COMMITTED: Final = "committed"
RELEASED: Final = "released"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservedUsage:
    """A reservation, and the allowance of its metric after it."""

    id: UUID
    metric: Metric
    amount: int
    expires_at: datetime
    allowance: Allowance


def record_usage(
    db: Homes, tenant: AdmittedTenant, metric: Metric, amount: int, *, idempotency_key: str | None, now: datetime
) -> Allowance:
    """Add *amount* to the usage of *metric* and return the new allowance.

    Usage and ledger entry are one transaction. A second call with the same *idempotency_key* returns the same answer
    and adds nothing.

    Raises:
        QuotaExceededError: *amount* is more than the quota has left. Nothing was recorded.
        InvalidError: *amount* would make the stored bytes negative, or the total larger than `MAX_TOTAL`.
        IdempotencyKeyReusedError: the key was used for another report.
        UnavailableError: the database is unreachable. It is unknown whether *amount* was added. A retry with the same
            key adds it once.
    """
    with db.tenant_transaction(tenant.organization_id) as conn:
        account = _lock_account(conn, tenant, metric, now=now)
        before = find_ledger_entry(conn, tenant.organization_id, idempotency_key) if idempotency_key else None
        if before is not None:
            if (before.metric, before.amount) != (metric, amount):
                raise IdempotencyKeyReusedError("The Idempotency-Key was used for another report. Use a new key.")
            return before.answered
        if account.reported + amount < 0:
            message = f"`amount` would make the stored bytes negative: {account.reported} bytes are reported so far."
            raise _invalid("amount", message)
        account.require_room(amount)
        return account.add(conn, amount, uuid4(), idempotency_key=idempotency_key)


def reserve_usage(
    db: Homes, tenant: AdmittedTenant, metric: Metric, amount: int, *, valid_for: timedelta, now: datetime
) -> ReservedUsage:
    """Reserve *amount* of *metric* until it is committed, released or expires after *valid_for*.

    Raises:
        QuotaExceededError: *amount* is more than the quota has left. Nothing was reserved.
        InvalidError: the total would be larger than `MAX_TOTAL`.
        UnavailableError: the database is unreachable. It is unknown whether *amount* was reserved. An unused
            reservation expires after *valid_for*.
    """
    with db.tenant_transaction(tenant.organization_id) as conn:
        account = _lock_account(conn, tenant, metric, now=now)
        account.require_room(amount)
        reservation_id = uuid4()
        insert_reservation(
            conn, tenant.organization_id, reservation_id, metric, amount, expires_at=now + valid_for, now=now
        )
    return ReservedUsage(
        id=reservation_id,
        metric=metric,
        amount=amount,
        expires_at=now + valid_for,
        allowance=replace(account.allowance, reserved=account.reserved + amount),
    )


def commit_reservation(
    db: Homes, tenant: AdmittedTenant, metric: Metric, reservation_id: UUID, amount: int | None, *, now: datetime
) -> Allowance:
    """Record *amount* of a reservation as used, release the rest, and return the new allowance.

    None records the whole reservation. A second call adds nothing.

    Raises:
        NotFoundError: there is no such reservation.
        InvalidError: *amount* is more than the reserved amount.
        ConflictError: the reservation was released or has expired.
        UnavailableError: the database is unreachable. It is unknown whether *amount* was recorded. A retry records it
            once.
    """
    with db.tenant_transaction(tenant.organization_id) as conn:
        account = _lock_account(conn, tenant, metric, now=now)
        reservation = _lock_reservation(conn, tenant, metric, reservation_id)
        if reservation.status == COMMITTED:
            return account.allowance
        if reservation.status == RELEASED or reservation.expires_at <= now:
            raise ConflictError("The reservation was released or has expired. Reserve again.")
        amount = reservation.amount if amount is None else amount
        if amount > reservation.amount:
            raise _invalid("amount", f"`amount` must be at most the reserved {reservation.amount}.")
        update_reservation(conn, tenant.organization_id, reservation_id, COMMITTED)
        return account.add(conn, amount, reservation_id)


def release_reservation(db: Homes, tenant: AdmittedTenant, metric: Metric, reservation_id: UUID) -> None:
    """Release a reservation. A second call changes nothing.

    Raises:
        NotFoundError: there is no such reservation.
        ConflictError: the reservation was committed.
        UnavailableError: the database is unreachable. The reservation may be released. A retry is safe.
    """
    with db.tenant_transaction(tenant.organization_id) as conn:
        reservation = _lock_reservation(conn, tenant, metric, reservation_id)
        if reservation.status == COMMITTED:
            raise ConflictError("The reservation was committed and cannot be released.")
        update_reservation(conn, tenant.organization_id, reservation_id, RELEASED)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Account:
    """The locked usage of one metric by one tenant.

    *reported* is the amount that clients reported. *measured* is the amount that the roll-up measured, for stored bytes
    only. *reserved* is the sum of the open reservations.
    """

    tenant: AdmittedTenant
    metric: Metric
    reported: int
    measured: int
    reserved: int
    now: datetime

    @property
    def used(self) -> int:
        return self.measured + self.reported

    @property
    def limit(self) -> int | None:
        return limit_of(self.tenant.entitlements, self.metric)

    @property
    def allowance(self) -> Allowance:
        """The used, reserved and remaining amount."""
        return Allowance(used=self.used, limit=self.limit, reserved=self.reserved)

    def require_room(self, amount: int) -> None:
        """Require that *amount* more fits the quota, and that the total is at most `MAX_TOTAL`.

        Raises:
            QuotaExceededError: it does not fit the quota.
            InvalidError: the quota is unlimited, and the total would be too large.
        """
        if not self.allowance.admits(amount):
            raise quota_exceeded(self.tenant.entitlements, self.metric, used=self.used, reserved=self.reserved)
        if amount > 0 and self.used + self.reserved + amount > MAX_TOTAL:
            raise _invalid("amount", f"`amount` would make the total larger than {MAX_TOTAL}.")

    def add(self, conn: Connection, amount: int, entry_id: UUID, *, idempotency_key: str | None = None) -> Allowance:
        """Write *amount* to the ledger, and insert notices of the thresholds that it reaches."""
        organization_id, today = self.tenant.organization_id, self.now.date()
        used = self.measured + add_used(conn, organization_id, self.metric, amount, today=today)
        reserved = sum_reserved(conn, organization_id, self.metric, now=self.now)
        answered = Allowance(used=used, limit=self.limit, reserved=reserved)
        insert_ledger_entry(
            conn,
            organization_id,
            entry_id,
            self.metric,
            amount,
            answered=answered,
            idempotency_key=idempotency_key,
            now=self.now,
        )
        notices = list_reached_thresholds(
            organization_id, self.tenant.entitlements, self.metric, used=used, today=today
        )
        insert_notices(conn, organization_id, notices, now=self.now)
        return answered


def _lock_account(conn: Connection, tenant: AdmittedTenant, metric: Metric, *, now: datetime) -> _Account:
    organization_id = tenant.organization_id
    return _Account(
        tenant=tenant,
        metric=metric,
        reported=lock_used(conn, organization_id, metric, today=now.date()),
        measured=find_measured_bytes(conn, organization_id) if metric is Metric.STORAGE_BYTES else 0,
        reserved=sum_reserved(conn, organization_id, metric, now=now),
        now=now,
    )


def _lock_reservation(conn: Connection, tenant: AdmittedTenant, metric: Metric, reservation_id: UUID) -> Reservation:
    reservation = lock_reservation(conn, tenant.organization_id, reservation_id)
    if reservation is None or reservation.metric != metric:
        raise NotFoundError("There is no such reservation.")
    return reservation


def _invalid(location: str, message: str) -> InvalidError:
    return InvalidError(message, errors=[FieldError(location=f"body/{location}", code="out_of_range", message=message)])
