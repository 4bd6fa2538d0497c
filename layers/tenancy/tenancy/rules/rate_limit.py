"""The rate limit: a number of requests per minute, then a block of one minute.

The minute begins with its first request. The block begins with the first request over the limit. Write keys have no
block: they are refused until their minute ends. The rule is that of the npm package rate-limiter-flexible (points,
duration, blockDuration), and a test compares both. `stores/redis/admit.lua` applies the same rule in Redis. This module
applies it while Redis is unreachable.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from math import ceil
from types import MappingProxyType
from typing import Final

import msgspec

from tenancy.rules.entitlements import Entitlements
from tenancy.rules.tenant import RateBucket
from tenancy.rules.tiers import RATE_LIMIT_BLOCK_SECONDS, RATE_LIMIT_WINDOW_SECONDS

WINDOW: Final = timedelta(seconds=RATE_LIMIT_WINDOW_SECONDS)
BLOCK: Final = timedelta(seconds=RATE_LIMIT_BLOCK_SECONDS)
NO_BLOCK: Final = timedelta()
BLOCKS: Final[Mapping[RateBucket, timedelta]] = MappingProxyType(
    {RateBucket.MANAGEMENT: BLOCK, RateBucket.INGEST: NO_BLOCK}
)


class RateWindow(msgspec.Struct, frozen=True, kw_only=True):
    """The requests of a bucket, refused ones included, in the window until *ends_at* (UTC)."""

    requests: int
    ends_at: datetime


class RateState(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a bucket after one request.

    *limit* is per minute. *seconds_left* are whole seconds until the window or block ends.
    """

    limit: int
    remaining: int
    seconds_left: int
    is_exceeded: bool


def rate_limit_of(entitlements: Entitlements, bucket: RateBucket) -> int:
    """Return the requests per minute of *bucket*."""
    quotas = entitlements.quotas
    return quotas.ingest_requests_per_minute if bucket is RateBucket.INGEST else quotas.api_requests_per_minute


def count_request(window: RateWindow | None, *, limit: int, block: timedelta, now: datetime) -> RateWindow:
    """Return *window* after one more request.

    The first one over *limit* starts the *block*. `NO_BLOCK` keeps the end of the window.
    """
    if window is None or window.ends_at <= now:
        window = RateWindow(requests=0, ends_at=now + WINDOW)
    requests = window.requests + 1
    starts_block = block > NO_BLOCK and requests == limit + 1
    return RateWindow(requests=requests, ends_at=now + block if starts_block else window.ends_at)


def rate_state(window: RateWindow, *, limit: int, now: datetime) -> RateState:
    """Return the state of *window* at *now*."""
    return RateState(
        limit=limit,
        remaining=max(0, limit - window.requests),
        seconds_left=max(1, ceil((window.ends_at - now).total_seconds())),
        is_exceeded=window.requests > limit,
    )
