"""The seed's rate limit: so many requests within a minute from the first one, then none for a minute.

The rule of the npm package rate-limiter-flexible (points, duration, blockDuration), which a test runs beside ours.
`stores/redis/admit.lua` is the same rule in Redis; this one counts while Redis is away.
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
    """How many requests a bucket has seen, refused ones included, in the window that ends at *ends_at* (UTC)."""

    requests: int
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RateState:
    """What one request found: *limit* a minute, *remaining* ones, and whole *seconds_left* until it begins anew."""

    limit: int
    remaining: int
    seconds_left: int
    is_exceeded: bool


def count_request(window: RateWindow | None, *, limit: int, now: datetime) -> RateWindow:
    """Return the bucket's *window* after one more request; the first one over the *limit* starts the block."""
    if window is None or window.ends_at <= now:
        window = RateWindow(requests=0, ends_at=now + WINDOW)
    requests = window.requests + 1
    return RateWindow(requests=requests, ends_at=now + BLOCK if requests == limit + 1 else window.ends_at)


def rate_state(window: RateWindow, *, limit: int, now: datetime) -> RateState:
    """Return what the request that made *window* found."""
    return RateState(
        limit=limit,
        remaining=max(0, limit - window.requests),
        seconds_left=max(1, ceil((window.ends_at - now).total_seconds())),
        is_exceeded=window.requests > limit,
    )
