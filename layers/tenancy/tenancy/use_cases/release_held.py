"""Held events become events: when the tier or the month has room for them, or when the operator says so."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from tenancy.admission import HELD_FOR_QUOTA
from tenancy.audit import Actor, Outcome, Record
from tenancy.errors import ConflictError, NotFoundError, UnavailableError
from tenancy.events.segment import HELD_FOR_CLOCK
from tenancy.organization import Status
from tenancy.stores.audit import insert_record
from tenancy.stores.clickhouse import ClickHouseError, Client
from tenancy.stores.platform.counters import move_released
from tenancy.stores.platform.held_events import count_held, release_events
from tenancy.stores.platform.leases import delete_lease, take_lease
from tenancy.stores.platform.organizations import find_organization
from tenancy.stores.postgres import Database
from tenancy.stores.redis import Redis, RedisAwayError
from tenancy.tiers import QUOTAS
from tenancy.usage import Held, MonthlyUsage

RELEASED: Final = "held_events.released"
LEASE_TIME: Final = timedelta(minutes=15)


def count_held_events(platform_db: Database, client: Client, organization_id: UUID) -> Mapping[str, int]:
    """Return how many events an organization has held, by reason.

    Raises:
        NotFoundError: there is no such organization.
        UnavailableError: a store is away.
    """
    _require(platform_db, organization_id)
    try:
        return count_held(client, organization_id)
    except ClickHouseError as error:
        raise UnavailableError("ClickHouse does not answer.") from error


def release_all(
    platform_db: Database, client: Client, redis: Redis, organization_id: UUID, actor: Actor, *, now: datetime
) -> int:
    """Release whatever an organization has held, whether there is room or not, and return how many events.

    Raises:
        NotFoundError: there is no such organization.
        ConflictError: they are being released now.
        UnavailableError: a store is away; another call does the rest, and counts no event twice.
    """
    _require(platform_db, organization_id)
    try:
        released = _release(
            platform_db, client, redis, organization_id, [HELD_FOR_QUOTA, HELD_FOR_CLOCK], room=None, now=now
        )
    except ClickHouseError as error:
        raise UnavailableError("ClickHouse does not answer.") from error
    if released is None:
        raise ConflictError("The organization's held events are being released now.")
    record = Record(
        occurred_at=now, actor=actor, action=RELEASED, outcome=Outcome.DONE, target=f"{released} held events"
    )
    with platform_db.tenant_transaction(organization_id) as conn:
        insert_record(conn, organization_id, record)
    return released


def release_into_room(
    platform_db: Database,
    client: Client,
    redis: Redis,
    held: Sequence[Held],
    usage: Sequence[MonthlyUsage],
    *,
    now: datetime,
) -> int:
    """Release what is held for want of quota where the month has room for it, and return how many events."""
    used = {each.organization_id: each for each in usage}
    released = 0
    for each in held:
        month = used.get(each.organization_id)
        if month is None or not each.events or month.storage_bytes >= QUOTAS[month.tier].storage_bytes:
            continue
        room = QUOTAS[month.tier].events_per_month - month.events
        if room > 0:
            released += (
                _release(platform_db, client, redis, each.organization_id, [HELD_FOR_QUOTA], room=room, now=now) or 0
            )
    return released


def _release(
    platform_db: Database,
    client: Client,
    redis: Redis,
    organization_id: UUID,
    reasons: list[str],
    *,
    room: int | None,
    now: datetime,
) -> int | None:
    """Return how many events were released, None while somebody else releases the organization's."""
    lease, holder = f"release {organization_id}", uuid4()
    with platform_db.transaction() as conn:
        if not take_lease(conn, lease, holder, now=now, ends_at=now + LEASE_TIME):
            return None
    try:
        released = release_events(client, organization_id, reasons, room=room, now=now)
    finally:
        with platform_db.transaction() as conn:
            delete_lease(conn, lease, holder)
    if released:
        with suppress(RedisAwayError):  # the next roll-up settles the counters
            move_released(redis, organization_id, released, now=now)
    return released


def _require(platform_db: Database, organization_id: UUID) -> None:
    with platform_db.transaction() as conn:
        organization = find_organization(conn, organization_id)
    if organization is None or organization.status is Status.ERASED:
        raise NotFoundError("There is no such organization.")
