"""Release held events: into the room of the quota, or all of them for the operator."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
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
class _Release:
    """A release of an organization's held events.

    It covers at most *room* events that are held for one of *reasons* and were received on *first_kept* or later.
    *quota* is the tier's monthly quota of events. *quota* and *room* are None for a release without limit.
    *held_of_month* is the number of the month's held events before the release.
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
    """Count the held events of an organization by reason.

    Raises:
        NotFoundError: there is no such organization.
        ErasedError: the organization was erased.
        UnavailableError: a store is unreachable.
    """
    first_kept, _ = _first_kept(platform_db, organization_id, now)
    with _clickhouse_errors():
        return count_held(client, organization_id, first_kept=first_kept)


def release_all(
    platform_db: Database, client: Client, redis: Redis, organization_id: UUID, actor: Actor, *, now: datetime
) -> int:
    """Release all held events of an organization, also past its quota, and return their number.

    The audit record is written before the release.

    Raises:
        NotFoundError: there is no such organization.
        ErasedError: the organization was erased.
        TransitionNotAllowedError: the organization is deleted.
        ConflictError: another release is running, or has failed within `RELEASE_LEASE_TIME`, or the organization was
            deleted meanwhile. Nothing was released.
        UnavailableError: a store is unreachable. A later call releases the rest and counts no event twice.
    """
    first_kept, status = _first_kept(platform_db, organization_id, now)
    if status not in RELEASABLE:
        raise TransitionNotAllowedError(f"The organization is {status}. Its held events cannot be released.")
    record = AuditRecord.done(HELD_EVENTS_RELEASED, "all held events", actor, now=now)
    release = _Release(organization_id=organization_id, reasons=(HELD_FOR_QUOTA, HELD_FOR_CLOCK), first_kept=first_kept)
    with _lease(platform_db, organization_id, now) as is_taken, _clickhouse_errors():
        if is_taken and _is_releasable(platform_db, organization_id):  # again, under the lease
            with platform_db.tenant_transaction(organization_id) as conn:
                insert_audit_record(conn, organization_id, record)
            released = _insert(client, redis, release, now=now)
            delete_released(client, [organization_id])
            mark_released(client, organization_id)
            return released
    minutes = RELEASE_LEASE_TIME // timedelta(minutes=1)
    raise ConflictError(
        "The held events cannot be released: a release is running or has failed, or the organization was deleted. "
        f"Check its status. Retry after {minutes} minutes."
    )


def release_into_room(
    platform_db: Database,
    client: Client,
    redis: Redis,
    held: Sequence[HeldUsage],
    usage: Sequence[MonthlyUsage],
    *,
    now: datetime,
) -> int:
    """Release events held for quota as far as the month has room, and return their number.

    Raises:
        ClickHouseError: ClickHouse is unreachable. The next run continues and counts no event twice.
    """
    with platform_db.transaction() as conn:
        tiers = list_retentions(conn, changed_since=now - DOWNGRADE_RETENTION)
    usage_by_organization = {each.organization_id: each for each in usage}
    released: dict[UUID, int] = {}
    for each in held:
        month = usage_by_organization.get(each.organization_id)
        if month is None or not each.events or not _room(month):
            continue
        release = _Release(
            organization_id=each.organization_id,
            reasons=(HELD_FOR_QUOTA,),
            first_kept=first_kept_day(tiers[each.organization_id], now),
            quota=QUOTAS[month.tier].events_per_month,
            room=_room(month),
            held_of_month=each.events_of_month,
        )
        with _lease(platform_db, each.organization_id, now) as is_taken:
            if is_taken and _is_releasable(platform_db, each.organization_id):
                released[each.organization_id] = _insert(client, redis, release, now=now)
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


def _insert(client: Client, redis: Redis, release: _Release, *, now: datetime) -> int:
    """Copy the held events that fit into the table `events`, and return their number.

    The caller then deletes them from `held_events`. The room is reserved in Redis before the copy, because requests
    reserve quota at the same time.
    """
    organization_id = release.organization_id
    find_fitting = partial(find_releasable, client, organization_id, release.reasons, first_kept=release.first_kept)
    events, until = find_fitting(room=release.room)
    claimed = events
    with suppress(RedisUnreachableError):  # the next roll-up settles the counter, here and below
        claimed = reserve_room(redis, organization_id, events, quota=release.quota, now=now)
    if claimed < events:
        events, until = find_fitting(room=claimed)
    if events:
        insert_released(client, organization_id, release.reasons, first_kept=release.first_kept, until=until, now=now)
    with suppress(RedisUnreachableError):
        still_held = max(0, release.held_of_month - events)
        finish_release(redis, organization_id, unused=claimed - events, still_held=still_held, now=now)
    return events


def _first_kept(platform_db: Database, organization_id: UUID, now: datetime) -> tuple[date, OrganizationStatus]:
    """Return the first day within the organization's retention, and its status."""
    with platform_db.tenant_transaction(organization_id) as conn:
        organization = require_existing(find_organization(conn, organization_id))
        former_tiers = list_tiers_since(conn, organization_id, changed_since=now - DOWNGRADE_RETENTION)
    return first_kept_day([organization.tier, *former_tiers], now), organization.status


def release_lease(organization_id: UUID) -> str:
    """Return the name of the lease for releases of the organization's held events."""
    return f"release {organization_id}"


@contextmanager
def _lease(platform_db: Database, organization_id: UUID, now: datetime) -> Iterator[bool]:
    """Take the lease for a release, and yield whether it was free.

    After a failure the lease is not deleted but expires: ClickHouse may continue an insert after its client has given
    up, and an erasure waits for the lease.
    """
    name, holder = release_lease(organization_id), uuid4()
    with platform_db.transaction() as conn:
        is_taken = take_lease(conn, name, holder, now=now, ends_at=now + RELEASE_LEASE_TIME)
    yield is_taken
    with platform_db.transaction() as conn:
        delete_lease(conn, name, holder)


@contextmanager
def _clickhouse_errors() -> Iterator[None]:
    try:
        yield
    except ClickHouseError as error:
        raise UnavailableError("ClickHouse is unreachable.") from error
