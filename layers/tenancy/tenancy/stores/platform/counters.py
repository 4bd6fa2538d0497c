"""The counters of all organizations in Redis, as the scheduled functions read and settle them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Final
from uuid import UUID

from tenancy.stores.counters import hour_of, usage_key
from tenancy.stores.redis import Redis, Script

SETTLE: Final = Script(Path(__file__).with_name("settle.lua"))
LIST_REQUESTS: Final = Script(Path(__file__).with_name("list_requests.lua"))
MOVE_RELEASED: Final = Script(Path(__file__).with_name("move_released.lua"))
CHUNK: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What an organization's counters have to agree with: rows, by the hours of their receipt, and the database.

    *events* are those received before the first hour that is not settled, *recent_hours* those of the hours from then
    on; *held* are held for want of quota.
    """

    organization_id: UUID
    events: int
    held: int
    recent_hours: Mapping[datetime, int]
    storage_bytes: int
    requests: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What the counters of an organization said before they were settled, and the events that they say now."""

    events_before: int
    events: int


def settle_counters(
    redis: Redis, settlements: Sequence[Settlement], *, first_recent: datetime, now: datetime
) -> Mapping[UUID, Counted]:
    """Make the counters of this month agree with *settlements*; one that is missing is left to the next request.

    Raises:
        RedisAwayError: some may be settled; the next run settles them all.
    """
    counted: dict[UUID, Counted] = {}
    for start in range(0, len(settlements), CHUNK):
        chunk = settlements[start : start + CHUNK]
        calls = [([usage_key(each.organization_id, now)], _values(each, first_recent)) for each in chunk]
        for each, result in zip(chunk, redis.run_each(SETTLE, calls), strict=True):
            if result:
                counted[each.organization_id] = Counted(events_before=result[0], events=result[1])
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
        results = redis.run_each(LIST_REQUESTS, calls)
        found.update({each: count for each, count in zip(chunk, results, strict=True) if count})
    return found


def move_released(redis: Redis, organization_id: UUID, events: int, *, now: datetime) -> None:
    """Count *events* that were held as the organization's events of *now*.

    Raises:
        RedisAwayError: the next roll-up does it.
    """
    redis.run(MOVE_RELEASED, [usage_key(organization_id, now)], [hour_of(now), events])


def _values(each: Settlement, first_recent: datetime) -> list[str | int]:
    hours = [value for hour, events in each.recent_hours.items() for value in (hour_of(hour), events)]
    return [hour_of(first_recent), each.events, each.held, each.storage_bytes, each.requests, *hours]
