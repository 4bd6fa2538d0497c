"""Held events become events: when the tier or the month has room for them, or when the operator says so."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Final
from uuid import UUID, uuid4

from tenancy.errors import ConflictError, TransitionNotAllowedError, UnavailableError
from tenancy.rules.admission import HELD_FOR_QUOTA
from tenancy.rules.audit_record import Actor, AuditRecord
from tenancy.rules.durations import DOWNGRADE_RETENTION, RELEASE_LEASE_TIME
from tenancy.rules.events.segment import HELD_FOR_CLOCK
from tenancy.rules.organization import OrganizationStatus
from tenancy.rules.standing import require_existing
from tenancy.rules.tiers import QUOTAS, first_kept_day
from tenancy.rules.usage import HeldUsage, MonthlyUsage
from tenancy.stores.clickhouse.client import ClickHouseError, Client
from tenancy.stores.clickhouse.platform.held_events import (
    count_held,
    delete_released,
    find_releasable,
    insert_released,
    mark_released,
)
from tenancy.stores.postgres.audit_log import insert_audit_record
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.platform.leases import delete_lease, take_lease
from tenancy.stores.postgres.platform.organizations import find_organization, list_retentions
from tenancy.stores.postgres.usage import list_tiers_since
from tenancy.stores.redis.client import Redis, RedisUnreachableError
from tenancy.stores.redis.platform.counters import finish_release, reserve_room

HELD_EVENTS_RELEASED: Final = "held_events.released"
RELEASABLE: Final = frozenset({OrganizationStatus.ACTIVE, OrganizationStatus.SUSPENDED})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """What of an organization is released: of *reasons*, received from *first_kept* on, as much as the *room* holds.

    *quota* is the month's; both are None where there is room for everything.
    """

    organization_id: UUID
    reasons: Sequence[str]
    first_kept: date
    quota: int | None = None
    room: int | None = None
    held_of_month: int = 0


def count_held_by_reason(
    platform_db: Database, client: Client, organization_id: UUID, *, now: datetime
) -> Mapping[str, int]:
    """Return how many events an organization has held, by reason.

    Raises:
        NotFoundError, ErasedError: there is no such organization, or not any more.
        UnavailableError: a store is away.
    """
    first_kept, _ = _first_kept(platform_db, organization_id, now)
    with _clickhouse_errors():
        return count_held(client, organization_id, first_kept=first_kept)


def release_all(
    platform_db: Database, client: Client, redis: Redis, organization_id: UUID, actor: Actor, *, now: datetime
) -> int:
    """Release whatever an organization has held, whether there is room or not, and return how many events.

    It is on record before anything is released.

    Raises:
        NotFoundError, ErasedError: there is no such organization, or not any more.
        TransitionNotAllowedError: it is deleted.
        ConflictError: they are being released now, or a release has failed within `RELEASE_LEASE_TIME`.
        UnavailableError: a store is away; a later call does the rest, and counts no event twice.
    """
    first_kept, status = _first_kept(platform_db, organization_id, now)
    if status not in RELEASABLE:
        raise TransitionNotAllowedError(f"The organization is {status}.")
    record = AuditRecord.done(HELD_EVENTS_RELEASED, "all held events", actor, now=now)
    order = _Order(organization_id=organization_id, reasons=(HELD_FOR_QUOTA, HELD_FOR_CLOCK), first_kept=first_kept)
    with _lease(platform_db, organization_id, now) as is_ours, _clickhouse_errors():
        if is_ours and _is_releasable(platform_db, organization_id):  # since it was asked: the gate waits for leases
            with platform_db.tenant_transaction(organization_id) as conn:
                insert_audit_record(conn, organization_id, record)
            released = _insert(client, redis, order, now=now)
            delete_released(client, [organization_id])
            mark_released(client, organization_id)
            return released
    raise ConflictError("The organization's held events are being released now, or it is being changed.")


def release_into_room(
    platform_db: Database,
    client: Client,
    redis: Redis,
    held: Sequence[HeldUsage],
    usage: Sequence[MonthlyUsage],
    *,
    now: datetime,
) -> int:
    """Release what is held for want of quota where the month has room for it, and return how many events.

    Room is claimed before it is filled, beside what requests reserve at the same time.

    Raises:
        ClickHouseError: it is away; the next run goes on, and counts no event twice.
    """
    with platform_db.transaction() as conn:
        tiers = list_retentions(conn, changed_since=now - DOWNGRADE_RETENTION)
    months = {each.organization_id: each for each in usage}
    released: dict[UUID, int] = {}
    for each in held:
        month = months.get(each.organization_id)
        if month is None or not each.events or not _room(month):
            continue
        order = _Order(
            organization_id=each.organization_id,
            reasons=(HELD_FOR_QUOTA,),
            first_kept=first_kept_day(tiers[each.organization_id], now),
            quota=QUOTAS[month.tier].events_per_month,
            room=_room(month),
            held_of_month=each.events_of_month,
        )
        with _lease(platform_db, each.organization_id, now) as is_ours:
            if is_ours and _is_releasable(platform_db, each.organization_id):
                released[each.organization_id] = _insert(client, redis, order, now=now)
    if any(released.values()):
        delete_released(client, [organization_id for organization_id, events in released.items() if events])
    return sum(released.values())


def _room(month: MonthlyUsage) -> int:
    quotas = QUOTAS[month.tier]
    if month.status not in RELEASABLE or month.storage_bytes >= quotas.storage_bytes:
        return 0
    return max(0, quotas.events_per_month - month.events)


def _is_releasable(platform_db: Database, organization_id: UUID) -> bool:
    with platform_db.tenant_transaction(organization_id) as conn:
        organization = find_organization(conn, organization_id)
    return organization is not None and organization.status in RELEASABLE


def _insert(client: Client, redis: Redis, order: _Order, *, now: datetime) -> int:
    """Copy what fits to the events, and return how many there are; they are held until they are deleted.

    Room is claimed before it is filled; requests may have reserved some of it meanwhile.
    """
    organization_id = order.organization_id
    fitting = partial(find_releasable, client, organization_id, order.reasons, first_kept=order.first_kept)
    events, until = fitting(room=order.room)
    claimed = events
    with suppress(RedisUnreachableError):  # the next roll-up settles the counter, here and below
        claimed = reserve_room(redis, organization_id, events, quota=order.quota, now=now)
    if claimed < events:
        events, until = fitting(room=claimed)
    if events:
        insert_released(client, organization_id, order.reasons, first_kept=order.first_kept, until=until, now=now)
    with suppress(RedisUnreachableError):
        still_held = max(0, order.held_of_month - events)
        finish_release(redis, organization_id, unused=claimed - events, still_held=still_held, now=now)
    return events


def _first_kept(platform_db: Database, organization_id: UUID, now: datetime) -> tuple[date, OrganizationStatus]:
    """Return the first day that the organization's retention keeps, and how it stands."""
    with platform_db.tenant_transaction(organization_id) as conn:
        organization = require_existing(find_organization(conn, organization_id))
        left = list_tiers_since(conn, organization_id, changed_since=now - DOWNGRADE_RETENTION)
    return first_kept_day([organization.tier, *left], now), organization.status


def release_lease(organization_id: UUID) -> str:
    """Name the lease of whoever releases the organization's events."""
    return f"release {organization_id}"


@contextmanager
def _lease(platform_db: Database, organization_id: UUID, now: datetime) -> Iterator[bool]:
    """Be the only one who releases the organization's events, and say whether that is so.

    After a failure the lease ends by itself: ClickHouse may go on with an insert whose client has given up, and the
    erasure waits for that.
    """
    name, holder = release_lease(organization_id), uuid4()
    with platform_db.transaction() as conn:
        is_ours = take_lease(conn, name, holder, now=now, ends_at=now + RELEASE_LEASE_TIME)
    yield is_ours
    with platform_db.transaction() as conn:
        delete_lease(conn, name, holder)


@contextmanager
def _clickhouse_errors() -> Iterator[None]:
    try:
        yield
    except ClickHouseError as error:
        raise UnavailableError("ClickHouse does not answer.") from error
