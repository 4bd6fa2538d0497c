"""Counters of all organizations in Redis, as scheduled functions read and settle them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final
from uuid import UUID

from tenancy.rules.durations import COUNTER_RETENTION
from tenancy.rules.tenant import RateBucket
from tenancy.rules.usage import EventCounts, RequestCounts
from tenancy.stores.redis.client import Redis, Script
from tenancy.stores.redis.counters import bucket_key, hour_of, last_use_key, standing_key, usage_key
from tenancy.stores.redis.log_ins import list_log_ins_keys

SETTLE: Final = Script(Path(__file__).with_name("settle.lua"))
GET_REQUESTS: Final = Script(Path(__file__).with_name("get_requests.lua"))
RESERVE_ROOM: Final = Script(Path(__file__).with_name("reserve_room.lua"))
FINISH_RELEASE: Final = Script(Path(__file__).with_name("finish_release.lua"))
ERASE: Final = Script(Path(__file__).with_name("erase.lua"))
CHUNK: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterSettlement:
    """The durable numbers to which an organization's counters are set: rows and stored totals.

    *events* and *held* (events over the quota) count the rows of the hours that are settled. *recent* holds both
    numbers for each later hour, by the hour of receipt.
    """

    organization_id: UUID
    events: int
    held: int
    recent: Mapping[datetime, EventCounts]
    storage_bytes: int
    requests: RequestCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class SettledCounter:
    """An organization's event counter before and after it was settled."""

    events_before: int
    events: int


def settle_counters(
    redis: Redis, settlements: Sequence[CounterSettlement], *, first_recent: datetime, now: datetime
) -> Mapping[UUID, SettledCounter]:
    """Set the counters of this month to *settlements*.

    A missing counter is left to the next request.

    Raises:
        RedisUnreachableError: some counters may be settled. The next run settles all.
    """
    settled: dict[UUID, SettledCounter] = {}
    for start in range(0, len(settlements), CHUNK):
        chunk = settlements[start : start + CHUNK]
        calls = [([usage_key(each.organization_id, now)], _values(each, first_recent)) for each in chunk]
        for each, result in zip(chunk, redis.run_each(SETTLE, calls), strict=True):
            if result:
                settled[each.organization_id] = SettledCounter(events_before=result[0], events=result[1])
    return settled


def list_requests(
    redis: Redis, organization_ids: Sequence[UUID], day: date, *, now: datetime
) -> Mapping[UUID, RequestCounts]:
    """Return the counted requests of *day*, for organizations that have any.

    *day* lies in the month of *now*.

    Raises:
        RedisUnreachableError: Redis is unreachable.
    """
    found: dict[UUID, RequestCounts] = {}
    for start in range(0, len(organization_ids), CHUNK):
        chunk = organization_ids[start : start + CHUNK]
        calls = [([usage_key(each, now)], [day.isoformat()]) for each in chunk]
        results = redis.run_each(GET_REQUESTS, calls)
        for each, (count, management) in zip(chunk, results, strict=True):
            if count:
                found[each] = RequestCounts(all=count, management=management)
    return found


def reserve_room(redis: Redis, organization_id: UUID, events: int, *, quota: int | None, now: datetime) -> int:
    """Reserve up to *events* within the month's *quota*, and return the reserved number.

    Without a *quota* all events are reserved.

    Raises:
        RedisUnreachableError: an unknown number is reserved. The next roll-up settles it.
    """
    values: list[str | int] = [hour_of(now), events, "" if quota is None else quota]
    return int(redis.run(RESERVE_ROOM, [usage_key(organization_id, now)], values))


def finish_release(redis: Redis, organization_id: UUID, *, unused: int, still_held: int, now: datetime) -> None:
    """Give back *unused* events of a reservation made at *now*, and store *still_held*.

    *still_held* is the number of the month's events that are still held.

    Raises:
        RedisUnreachableError: the next roll-up settles the counters.
    """
    redis.run(FINISH_RELEASE, [usage_key(organization_id, now)], [hour_of(now), unused, still_held])


def delete_counters(redis: Redis, organization_id: UUID, *, now: datetime) -> None:
    """Delete every key of the organization. Idempotent.

    Raises:
        RedisUnreachableError: the keys may still exist.
    """
    redis.run(ERASE, _all_keys(organization_id, now), ["delete"])


def count_counters(redis: Redis, organization_id: UUID, *, now: datetime) -> int:
    """Return the number of keys of the organization.

    Raises:
        RedisUnreachableError: Redis is unreachable.
    """
    return int(redis.run(ERASE, _all_keys(organization_id, now), ["count"]))


def _all_keys(organization_id: UUID, now: datetime) -> list[str]:
    """Return every key that the organization may have.

    Counters outlive their month by less than a month. The next month is included for clocks that are ahead.
    """
    before = now.astimezone(UTC).replace(day=1) - COUNTER_RETENTION
    months = {before, now, now + COUNTER_RETENTION}
    return [
        standing_key(organization_id),
        last_use_key(organization_id),
        *list_log_ins_keys(organization_id, now=now),
        *(bucket_key(organization_id, bucket) for bucket in RateBucket),
        *sorted({usage_key(organization_id, month) for month in months}),
    ]


def _values(each: CounterSettlement, first_recent: datetime) -> list[str | int]:
    hours = [value for hour, (events, held) in each.recent.items() for value in (hour_of(hour), events, held)]
    requests = each.requests
    stored = [each.storage_bytes, requests.all, requests.management]
    return [hour_of(first_recent), *stored, each.events, each.held, *hours]
