"""Attempts to log in, counted in Redis.

One key has the attempts of an organization. One field has those of an account and a network. An attempt is reserved
before its password is checked, so parallel attempts are counted as well.
"""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

from tenancy.rules.durations import LOG_IN_COUNTING_TIME, ONE_MILLISECOND
from tenancy.rules.log_in_attempts import LOG_IN_DELAYS, AttemptVerdict
from tenancy.rules.unix_time import milliseconds_of
from tenancy.stores.redis.client import Redis, Script

RESERVE_LOG_IN: Final = Script(Path(__file__).with_name("reserve_log_in.lua"))
FORGET_LOG_INS: Final = Script(Path(__file__).with_name("forget_log_ins.lua"))


def reserve_log_in(redis: Redis, organization_id: UUID, field: str, *, now: datetime) -> AttemptVerdict:
    """Count one attempt of *field*, or refuse it.

    Raises:
        RedisUnreachableError: the attempt may have been counted.
    """
    values: list[str | int] = [field, milliseconds_of(now), _milliseconds(LOG_IN_COUNTING_TIME)]
    values += [_milliseconds(delay) for delay in LOG_IN_DELAYS]
    is_allowed, wait = redis.run(RESERVE_LOG_IN, [log_ins_key(organization_id)], values)
    return AttemptVerdict(is_allowed=bool(is_allowed), wait=int(wait) * ONE_MILLISECOND)


def forget_log_ins(redis: Redis, organization_id: UUID, field: str) -> None:
    """Forget the attempts of *field*.

    Raises:
        RedisUnreachableError: the attempts may still be counted, for at most 15 minutes.
    """
    redis.run(FORGET_LOG_INS, [log_ins_key(organization_id)], [field])


def log_ins_key(organization_id: UUID) -> str:
    """Return the key of the organization's attempts to log in."""
    return f"{{{organization_id}}}:logins"


def _milliseconds(duration: timedelta) -> int:
    return duration // ONE_MILLISECOND
