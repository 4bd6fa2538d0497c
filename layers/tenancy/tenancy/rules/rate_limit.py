"""The rate limit: a number of requests per minute, then a block of one minute.

The minute begins with its first request. The block begins with the first request over the limit. The rule is that of
the npm package rate-limiter-flexible (points, duration, blockDuration), and a test compares both.
`stores/redis/admit.lua` applies the same rule in Redis. This module applies it while Redis is unreachable.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Final

from tenancy.rules.tiers import RATE_LIMIT_BLOCK_SECONDS, RATE_LIMIT_WINDOW_SECONDS

WINDOW: Final = timedelta(seconds=RATE_LIMIT_WINDOW_SECONDS)
BLOCK: Final = timedelta(seconds=RATE_LIMIT_BLOCK_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class RateWindow:
    """The requests of a bucket, refused ones included, in the window until *ends_at* (UTC)."""

    requests: int
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RateState:
    """The state of a bucket after one request.

    *limit* is per minute. *seconds_left* are whole seconds until the window or block ends.
    """

    limit: int
    remaining: int
    seconds_left: int
    is_exceeded: bool


def count_request(window: RateWindow | None, *, limit: int, now: datetime) -> RateWindow:
    """Return *window* after one more request.

    The first one over *limit* starts the block.
    """
    if window is None or window.ends_at <= now:
        window = RateWindow(requests=0, ends_at=now + WINDOW)
    requests = window.requests + 1
    return RateWindow(requests=requests, ends_at=now + BLOCK if requests == limit + 1 else window.ends_at)


def rate_state(window: RateWindow, *, limit: int, now: datetime) -> RateState:
    """Return the state of *window* at *now*."""
    return RateState(
        limit=limit,
        remaining=max(0, limit - window.requests),
        seconds_left=max(1, ceil((window.ends_at - now).total_seconds())),
        is_exceeded=window.requests > limit,
    )
