"""The counters of all organizations in Redis, as the scheduled functions read and settle them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final
from uuid import UUID

from tenancy.rules.durations import COUNTER_RETENTION
from tenancy.rules.tenant import RateBucket
from tenancy.stores.redis.client import Redis, Script
from tenancy.stores.redis.counters import bucket_key, hour_of, standing_key, usage_key

SETTLE: Final = Script(Path(__file__).with_name("settle.lua"))
GET_REQUESTS: Final = Script(Path(__file__).with_name("get_requests.lua"))
RESERVE_ROOM: Final = Script(Path(__file__).with_name("claim_room.lua"))
FINISH_RELEASE: Final = Script(Path(__file__).with_name("end_holding.lua"))
ERASE: Final = Script(Path(__file__).with_name("erase.lua"))
CHUNK: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterSettlement:
    """What an organization's counters have to agree with: rows, by the hours of their receipt, and the database.

    *events*, and those *held* for want of quota, are of the hours before the first that is not settled; *recent* has
    both for each hour from then on.
    """

    organization_id: UUID
    events: int
    held: int
    recent: Mapping[datetime, tuple[int, int]]
    storage_bytes: int
    requests: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SettledCounter:
    """What the counters of an organization said before they were settled, and the events that they say now."""

    events_before: int
    events: int


def settle_counters(
    redis: Redis, settlements: Sequence[CounterSettlement], *, first_recent: datetime, now: datetime
) -> Mapping[UUID, SettledCounter]:
    """Make the counters of this month agree with *settlements*; one that is missing is left to the next request.

    Raises:
        RedisAwayError: some may be settled; the next run settles them all.
    """
    counted: dict[UUID, SettledCounter] = {}
    for start in range(0, len(settlements), CHUNK):
        chunk = settlements[start : start + CHUNK]
        calls = [([usage_key(each.organization_id, now)], _values(each, first_recent)) for each in chunk]
        for each, result in zip(chunk, redis.run_each(SETTLE, calls), strict=True):
            if result:
                counted[each.organization_id] = SettledCounter(events_before=result[0], events=result[1])
    return counted


def list_requests(redis: Redis, organization_ids: Sequence[UUID], day: date, *, now: datetime) -> Mapping[UUID, int]:
    """Return how many requests of *day*, in the month of *now*, are counted, of organizations that have any.

    Raises:
        RedisAwayError: Redis does not answer.
    """
    found: dict[UUID, int] = {}
    for start in range(0, len(organization_ids), CHUNK):
        chunk = organization_ids[start : start + CHUNK]
        calls = [([usage_key(each, now)], [day.isoformat()]) for each in chunk]
        results = redis.run_each(GET_REQUESTS, calls)
        found.update({each: count for each, count in zip(chunk, results, strict=True) if count})
    return found


def reserve_room(redis: Redis, organization_id: UUID, events: int, *, quota: int | None, now: datetime) -> int:
    """Count up to *events* as the organization's, as far as its month's *quota* has room, and return how many.

    Raises:
        RedisAwayError: nobody knows how many were counted; the next roll-up settles it.
    """
    values: list[str | int] = [hour_of(now), events, "" if quota is None else quota]
    return int(redis.run(RESERVE_ROOM, [usage_key(organization_id, now)], values))


def finish_release(redis: Redis, organization_id: UUID, *, unused: int, still_held: int, now: datetime) -> None:
    """Give back *unused* events of a claim of *now*, and count those of the month that are *still_held*.

    Raises:
        RedisAwayError: the next roll-up settles it.
    """
    redis.run(FINISH_RELEASE, [usage_key(organization_id, now)], [hour_of(now), unused, still_held])


def delete_counters(redis: Redis, organization_id: UUID, *, now: datetime) -> None:
    """Forget whatever is counted of the organization. A second time changes nothing.

    Raises:
        RedisAwayError: nobody knows whether it is forgotten.
    """
    redis.run(ERASE, _all_keys(organization_id, now), ["delete"])


def count_counters(redis: Redis, organization_id: UUID, *, now: datetime) -> int:
    """Return how many keys the organization has.

    Raises:
        RedisAwayError: Redis does not answer.
    """
    return int(redis.run(ERASE, _all_keys(organization_id, now), ["count"]))


def _all_keys(organization_id: UUID, now: datetime) -> list[str]:
    """Return every key that an organization may have: its counters outlive a month, but not by another month.

    The next month is there for clocks that are ahead.
    """
    before = now.astimezone(UTC).replace(day=1) - COUNTER_RETENTION
    months = {before, now, now + COUNTER_RETENTION}
    return [
        standing_key(organization_id),
        *(bucket_key(organization_id, bucket) for bucket in RateBucket),
        *sorted({usage_key(organization_id, month) for month in months}),
    ]


def _values(each: CounterSettlement, first_recent: datetime) -> list[str | int]:
    hours = [value for hour, (events, held) in each.recent.items() for value in (hour_of(hour), events, held)]
    return [hour_of(first_recent), each.storage_bytes, each.requests, each.events, each.held, *hours]
