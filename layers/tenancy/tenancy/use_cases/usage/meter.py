"""Metering: what a client reports of its own use is admitted and in the ledger before the answer, or refused."""

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
from tenancy.rules.quotas import METERED, Allowance, Metric, limit_of, list_reached_thresholds, quota_exceeded
from tenancy.rules.tenant import Tenant
from tenancy.stores.postgres.client import Connection, Database
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

OPEN: Final = "open"
COMMITTED: Final = "committed"
RELEASED: Final = "released"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservedUsage:
    """Room that was set aside, and what is left."""

    id: UUID
    metric: Metric
    amount: int
    expires_at: datetime
    allowance: Allowance


def parse_metric(name: str) -> Metric:
    """Return the metric that clients may report under that *name*.

    Raises:
        NotFoundError: there is none: what nobody knows is never admitted.
    """
    if name not in METERED:
        raise NotFoundError("There is no such metric.")
    return Metric(name)


def record_usage(
    db: Database, tenant: Tenant, metric: Metric, amount: int, *, idempotency_key: str | None, now: datetime
) -> Allowance:
    """Add *amount* to the usage of *metric* and return what is used and left; in one transaction, so both or neither.

    The same *idempotency_key* gets the same answer, and adds nothing.

    Raises:
        QuotaExceededError: it does not fit.
        InvalidError: less would be stored than nothing.
        IdempotencyKeyReusedError: the key came with another report.
        UnavailableError: the database is away; nobody knows whether it was added, the key tells.
    """
    with db.tenant_transaction(tenant.organization_id) as conn:
        account = _lock_account(conn, tenant, metric, now=now)
        before = find_ledger_entry(conn, tenant.organization_id, idempotency_key) if idempotency_key else None
        if before is not None:
            if (before.metric, before.amount) != (metric, amount):
                raise IdempotencyKeyReusedError("The Idempotency-Key came with another report.")
            return before.answered
        if account.reported + amount < 0:
            raise _invalid("amount", "Less would be stored than nothing.")
        if not account.allowance.admits(amount):
            raise quota_exceeded(tenant.tier, metric, used=account.used, reserved=account.reserved)
        return account.add(conn, amount, uuid4(), idempotency_key=idempotency_key)


def reserve_usage(
    db: Database, tenant: Tenant, metric: Metric, amount: int, *, valid_for: timedelta, now: datetime
) -> ReservedUsage:
    """Set *amount* of *metric* aside until it is committed, released, or *lasts* is over.

    Raises:
        QuotaExceededError: it does not fit.
        UnavailableError: the database is away.
    """
    with db.tenant_transaction(tenant.organization_id) as conn:
        account = _lock_account(conn, tenant, metric, now=now)
        if not account.allowance.admits(amount):
            raise quota_exceeded(tenant.tier, metric, used=account.used, reserved=account.reserved)
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
    db: Database, tenant: Tenant, metric: Metric, reservation_id: UUID, amount: int | None, *, now: datetime
) -> Allowance:
    """Use *amount* of what was set aside (all of it with None), give the rest back, and return what is used and left.

    A second time adds nothing.

    Raises:
        NotFoundError: there is no such reservation.
        InvalidError: more than was set aside.
        ConflictError: it was released, or has expired.
        UnavailableError: the database is away.
    """
    with db.tenant_transaction(tenant.organization_id) as conn:
        account = _lock_account(conn, tenant, metric, now=now)
        reservation = _lock(conn, tenant, metric, reservation_id)
        if reservation.status == COMMITTED:
            return account.allowance
        if reservation.status == RELEASED or reservation.expires_at <= now:
            raise ConflictError("The reservation was released, or has expired.")
        amount = reservation.amount if amount is None else amount
        if amount > reservation.amount:
            raise _invalid("amount", f"No more than {reservation.amount} was set aside.")
        update_reservation(conn, tenant.organization_id, reservation_id, COMMITTED)
        return account.add(conn, amount, reservation_id)


def release_reservation(db: Database, tenant: Tenant, metric: Metric, reservation_id: UUID) -> None:
    """Give back what was set aside; a second time changes nothing.

    Raises:
        NotFoundError: there is no such reservation.
        ConflictError: it was committed.
        UnavailableError: the database is away.
    """
    with db.tenant_transaction(tenant.organization_id) as conn:
        reservation = _lock(conn, tenant, metric, reservation_id)
        if reservation.status == COMMITTED:
            raise ConflictError("The reservation was committed.")
        update_reservation(conn, tenant.organization_id, reservation_id, RELEASED)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Account:
    """One metric of one tenant, locked: what was *reported*, *measured* beside it, and is *reserved* of it."""

    tenant: Tenant
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
        return limit_of(self.tenant.tier, self.metric)

    @property
    def allowance(self) -> Allowance:
        """What is used and set aside."""
        return Allowance(used=self.used, limit=self.limit, reserved=self.reserved)

    def add(self, conn: Connection, amount: int, entry_id: UUID, *, idempotency_key: str | None = None) -> Allowance:
        """Write *amount* to the ledger, and note the thresholds that it reaches."""
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
        notices = list_reached_thresholds(organization_id, self.tenant.tier, self.metric, used=used, today=today)
        insert_notices(conn, organization_id, notices, now=self.now)
        return answered


def _lock_account(conn: Connection, tenant: Tenant, metric: Metric, *, now: datetime) -> _Account:
    organization_id = tenant.organization_id
    return _Account(
        tenant=tenant,
        metric=metric,
        reported=lock_used(conn, organization_id, metric, today=now.date()),
        measured=find_measured_bytes(conn, organization_id) if metric is Metric.STORAGE_BYTES else 0,
        reserved=sum_reserved(conn, organization_id, metric, now=now),
        now=now,
    )


def _lock(conn: Connection, tenant: Tenant, metric: Metric, reservation_id: UUID) -> Reservation:
    reservation = lock_reservation(conn, tenant.organization_id, reservation_id)
    if reservation is None or reservation.metric != metric:
        raise NotFoundError("There is no such reservation.")
    return reservation


def _invalid(location: str, message: str) -> InvalidError:
    return InvalidError(message, errors=[FieldError(location=f"body/{location}", code="out_of_range", message=message)])
