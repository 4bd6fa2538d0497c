"""Attempts to log in, counted in Redis.

One key has the attempts of an organization and a slot of 15 minutes. One field has those of an account and a network.
An attempt is reserved before its password is checked, so parallel attempts are counted as well. Attempts count for 15
minutes from the first one of the field. So a field is read in this slot and the one before, and written in this one. A
key expires with the slot after its own, so it never has more than the attempts of one slot.
"""

from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import UUID

from tenancy.rules.durations import LOG_IN_COUNTING_TIME, ONE_MILLISECOND
from tenancy.rules.people.log_in_attempts import LOG_IN_DELAYS, AttemptVerdict
from tenancy.rules.unix_time import milliseconds_of
from tenancy.stores.redis.client import Redis, Script

RESERVE_LOG_IN: Final = Script(Path(__file__).with_name("reserve_log_in.lua"))
FORGET_LOG_INS: Final = Script(Path(__file__).with_name("forget_log_ins.lua"))
COUNTING_TIME_MS: Final = LOG_IN_COUNTING_TIME // ONE_MILLISECOND


def reserve_log_in(redis: Redis, organization_id: UUID, field: str, *, now: datetime) -> AttemptVerdict:
    """Count one attempt of *field*, or refuse it.

    Raises:
        RedisUnreachableError: the attempt may have been counted.
    """
    slot = _slot_of(now)
    ends_at = (slot + 2) * COUNTING_TIME_MS
    values: list[str | int] = [field, milliseconds_of(now), COUNTING_TIME_MS, ends_at - milliseconds_of(now)]
    values += [delay // ONE_MILLISECOND for delay in LOG_IN_DELAYS]
    is_allowed, wait = redis.run(RESERVE_LOG_IN, _keys(organization_id, slot), values)
    return AttemptVerdict(is_allowed=bool(is_allowed), wait=int(wait) * ONE_MILLISECOND)


def forget_log_ins(redis: Redis, organization_id: UUID, field: str, *, now: datetime) -> None:
    """Forget the attempts of *field*.

    Raises:
        RedisUnreachableError: the attempts may still be counted, for at most 15 minutes.
    """
    redis.run(FORGET_LOG_INS, _keys(organization_id, _slot_of(now)), [field])


def list_log_ins_keys(organization_id: UUID, *, now: datetime) -> list[str]:
    """Return the keys of the organization's attempts to log in that may exist at *now*.

    The next slot is included for clocks that are ahead.
    """
    slot = _slot_of(now)
    return [_log_ins_key(organization_id, each) for each in (slot - 1, slot, slot + 1)]


def _keys(organization_id: UUID, slot: int) -> list[str]:
    return [_log_ins_key(organization_id, slot), _log_ins_key(organization_id, slot - 1)]


def _log_ins_key(organization_id: UUID, slot: int) -> str:
    return f"{{{organization_id}}}:logins:{slot}"


def _slot_of(now: datetime) -> int:
    return milliseconds_of(now) // COUNTING_TIME_MS
