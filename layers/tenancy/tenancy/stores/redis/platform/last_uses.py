"""Last uses of keys in Redis, until the roll-up has persisted them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import UUID

from tenancy.stores.redis.client import Redis, Script
from tenancy.stores.redis.counters import hour_of, last_use_key

LIST_LAST_USES: Final = Script(Path(__file__).with_name("list_last_uses.lua"))
FORGET_LAST_USES: Final = Script(Path(__file__).with_name("forget_last_uses.lua"))
MAX_USED_KEYS: Final = 1_000  # of one organization in one run

type LastUses = Mapping[UUID, datetime]


def list_last_uses(redis: Redis, organization_ids: Sequence[UUID]) -> dict[UUID, LastUses]:
    """Return the hour of the last use by key, for organizations with used keys.

    At most `MAX_USED_KEYS` keys of each organization are returned.

    Raises:
        RedisUnreachableError: Redis is unreachable.
    """
    results = redis.run_each(LIST_LAST_USES, [([last_use_key(each)], [MAX_USED_KEYS]) for each in organization_ids])
    return {
        organization_id: {UUID(key): _time_of(hour) for key, hour in zip(found[::2], found[1::2], strict=True)}
        for organization_id, found in zip(organization_ids, results, strict=True)
        if found
    }


def forget_last_uses(redis: Redis, uses: Mapping[UUID, LastUses]) -> None:
    """Delete *uses* by organization, unless the key was used later.

    Raises:
        RedisUnreachableError: some may be left. The next run persists them again.
    """
    redis.run_each(FORGET_LAST_USES, [([last_use_key(each)], _values(used)) for each, used in uses.items()])


def _values(used: LastUses) -> list[str | int]:
    return [value for key_id, hour in used.items() for value in (str(key_id), hour_of(hour))]


def _time_of(hour: str) -> datetime:
    return datetime.strptime(hour, "%Y-%m-%dT%H").replace(tzinfo=UTC)
