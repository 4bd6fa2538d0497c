"""Release held events: into the room of the quota, or all of them for the operator."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from tenancy.errors import ConflictError, TransitionNotAllowedError, UnavailableError
from tenancy.rules.audit_record import Actor, AuditRecord
from tenancy.rules.durations import DOWNGRADE_RETENTION, RELEASE_LEASE_TIME
from tenancy.rules.entitlements import first_kept_day
from tenancy.rules.organization import OrganizationStatus
from tenancy.rules.quotas import Allowance, Metric, limit_of
from tenancy.rules.standing import require_existing
from tenancy.rules.usage import HeldUsage, MonthlyUsage
from tenancy.stores.clickhouse.client import ClickHouseError, Client
from tenancy.stores.clickhouse.platform.held_events import count_held
from tenancy.stores.clickhouse.platform.released_events import (
    DueEvents,
    count_copies,
    count_marked,
    count_waiting,
    delete_released,
    find_fitting,
    insert_marked,
    insert_marks,
    insert_released,
)
from tenancy.stores.postgres.audit_log import insert_audit_record
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.platform.leases import delete_lease, take_lease
from tenancy.stores.postgres.platform.organizations import find_organization, list_retentions
from tenancy.stores.postgres.usage import list_retentions_since
from tenancy.stores.redis.client import Redis, RedisUnreachableError
from tenancy.stores.redis.platform.counters import finish_release, reserve_room
from tenancy.use_cases.schedule.failures import skip_moved

HELD_EVENTS_RELEASED: Final = "held_events.released"
RELEASABLE: Final = frozenset({OrganizationStatus.ACTIVE, OrganizationStatus.SUSPENDED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """The result of an operator's release.

    *waiting* events stay held until they are due: their time is to come, or is older than the retention.
    """

    released: int
    waiting: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Room:
    """The events that may still be released into a month.

    *quota* is the monthly quota of events. *quota* and *events* are None for a release without limit.
    *held_of_month* is the number of the month's events in the grace band before the release.
    """

    events: int | None = None
    quota: int | None = None
    held_of_month: int = 0


def count_held_by_reason(
    platform_db: Homes, client: Client, organization_id: UUID, *, now: datetime
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
    platform_db: Homes, client: Client, redis: Redis, organization_id: UUID, actor: Actor, *, now: datetime
) -> Release:
    """Release the held events of an organization that are due, also past its quota.

    An event is due once its time is past. An event without a credible time is due once no copy of it can arrive any
    more that was received while its time was credible. The audit record is written before the release.

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
        raise TransitionNotAllowedError(f"{status.sentence} Its held events cannot be released.")
    due = DueEvents(organization_id=organization_id, first_kept=first_kept, now=now)
    with _lease(platform_db, organization_id, now) as is_taken, _clickhouse_errors():
        if is_taken and _is_releasable(platform_db, organization_id):  # again, under the lease
            with platform_db.tenant_transaction(organization_id) as conn:
                record = AuditRecord.done(HELD_EVENTS_RELEASED, "all held events", actor, now=now)
                insert_audit_record(conn, organization_id, record)
            released = _release_without_time(client, redis, due) + _release_due(client, redis, due, _Room())
            delete_released(client, [organization_id])
            return Release(released=released, waiting=count_waiting(client, due))
    minutes = RELEASE_LEASE_TIME // timedelta(minutes=1)
    raise ConflictError(
        "The held events cannot be released. Another release is running or has failed, or the organization was "
        f"deleted. Check the status of the organization, then retry after {minutes} minutes."
    )


def release_into_room(
    platform_db: Database,
    client: Client,
    redis: Redis,
    held: Iterable[HeldUsage],
    usage: Sequence[MonthlyUsage],
    *,
    now: datetime,
) -> int:
    """Release the events that are due as far as the month has room, and return their number.

    An organization that was moved since its usage was counted is left out. The roll-up of its new home releases them.

    Raises:
        ClickHouseError: ClickHouse is unreachable. The next run continues and counts no event twice.
    """
    with platform_db.transaction() as conn:
        retentions = list_retentions(conn, changed_since=now - DOWNGRADE_RETENTION)
    usage_by_organization = {each.organization_id: each for each in usage}
    released, with_copies = 0, []
    for each in held:
        month = usage_by_organization.get(each.organization_id)
        room = _room_of(month, each) if month is not None and each.past_events else None
        if room is None or each.organization_id not in retentions:
            continue
        first_kept = first_kept_day(retentions[each.organization_id], now)
        due = DueEvents(organization_id=each.organization_id, first_kept=first_kept, now=now)
        with skip_moved(), _lease(platform_db, each.organization_id, now) as is_taken:
            if is_taken and _is_releasable(platform_db, each.organization_id):
                released += _release_due(client, redis, due, room)
                with_copies += [each.organization_id] if count_copies(client, due) else []
    if with_copies:
        delete_released(client, with_copies)
    return released


def _room_of(month: MonthlyUsage, held: HeldUsage) -> _Room | None:
    """Return the room of the month, or None without any."""
    stored = Allowance(used=month.storage_bytes, limit=limit_of(month.entitlements, Metric.STORAGE_BYTES))
    events = Allowance(used=month.events, limit=limit_of(month.entitlements, Metric.EVENTS))
    if month.status not in RELEASABLE or stored.remaining == 0 or events.remaining == 0:
        return None
    return _Room(events=events.remaining, quota=events.limit, held_of_month=held.events_of_month)


def _is_releasable(platform_db: Homes, organization_id: UUID) -> bool:
    with platform_db.tenant_transaction(organization_id) as conn:
        organization = find_organization(conn, organization_id)
    return organization is not None and organization.status in RELEASABLE


def _release_due(client: Client, redis: Redis, due: DueEvents, room: _Room) -> int:
    """Copy the due events that fit into the table `events`, and return their number.

    The caller then deletes them from `held_events`. The room is reserved in Redis before the copy, because requests
    reserve quota at the same time.
    """
    fitting = find_fitting(client, due, room=room.events)
    claimed = fitting.events
    with suppress(RedisUnreachableError):  # the next roll-up settles the counter, here and below
        claimed = reserve_room(redis, due.organization_id, fitting.events, quota=room.quota, now=due.now)
    if claimed < fitting.events:
        fitting = find_fitting(client, due, room=claimed)
    if fitting.events:
        insert_released(client, due, fitting)
    with suppress(RedisUnreachableError):
        still_held = max(0, room.held_of_month - fitting.in_grace_band)
        unused = claimed - fitting.events
        finish_release(redis, due.organization_id, unused=unused, still_held=still_held, now=due.now)
    return fitting.events


def _release_without_time(client: Client, redis: Redis, due: DueEvents) -> int:
    """Copy the events without a credible time into the table `events`, and return their number.

    They are marked before the copy. A release that dies in between leaves marks without an event, and the next one
    copies them.
    """
    insert_marks(client, due)
    events = count_marked(client, due)
    if events:
        with suppress(RedisUnreachableError):
            reserve_room(redis, due.organization_id, events, quota=None, now=due.now)
        insert_marked(client, due)
    return events


def _first_kept(platform_db: Homes, organization_id: UUID, now: datetime) -> tuple[date, OrganizationStatus]:
    """Return the first day within the organization's retention, and its status."""
    with platform_db.tenant_transaction(organization_id) as conn:
        organization = require_existing(find_organization(conn, organization_id))
        retentions = list_retentions_since(conn, organization_id, now - DOWNGRADE_RETENTION)
    return first_kept_day([organization.entitlements.quotas.data_retention_days, *retentions], now), organization.status


def release_lease(organization_id: UUID) -> str:
    """Return the name of the lease for releases of the organization's held events."""
    return f"release {organization_id}"


@contextmanager
def _lease(platform_db: Homes, organization_id: UUID, now: datetime) -> Iterator[bool]:
    """Take the lease for a release, and yield whether it was free.

    After a failure the lease is not deleted but expires: ClickHouse may continue an insert after its client has given
    up, and an erasure waits for the lease.
    """
    name, holder = release_lease(organization_id), uuid4()
    with platform_db.tenant_transaction(organization_id) as conn:
        is_taken = take_lease(conn, name, holder, now=now, ends_at=now + RELEASE_LEASE_TIME)
    yield is_taken
    with platform_db.tenant_transaction(organization_id) as conn:
        delete_lease(conn, name, holder)


@contextmanager
def _clickhouse_errors() -> Iterator[None]:
    try:
        yield
    except ClickHouseError as error:
        raise UnavailableError("ClickHouse is unreachable.") from error
