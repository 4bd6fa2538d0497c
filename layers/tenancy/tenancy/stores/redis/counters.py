"""The counters of admission in Redis: how an organization stands, what it used this month, its rate buckets.

Every key of an organization carries its id as a hash tag, so that one script reaches them all in cluster mode too.
Counters are hints: what is missing is unknown, and comes from PostgreSQL (architecture, decision 3).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from tenancy.rules.admission import PLATFORM_TIER, Admission, AdmissionVerdict
from tenancy.rules.durations import COUNTER_RETENTION, STANDING_TTL
from tenancy.rules.organization import OrganizationStatus
from tenancy.rules.quotas import Metric
from tenancy.rules.rate_limit import BLOCK, WINDOW, RateWindow, rate_state
from tenancy.rules.standing import Standing
from tenancy.rules.tenant import RateBucket
from tenancy.rules.tiers import PLATFORM_REQUESTS_PER_MINUTE, QUOTAS, Tier
from tenancy.rules.usage import MonthSoFar, month_of
from tenancy.stores.redis.client import Redis, Script

ADMIT: Final = Script(Path(__file__).with_name("admit.lua"))
GIVE_BACK: Final = Script(Path(__file__).with_name("give_back.lua"))
PUT_STANDING: Final = Script(Path(__file__).with_name("put_standing.lua"))
SEED_USAGE: Final = Script(Path(__file__).with_name("seed_usage.lua"))
NO_LIMIT: Final = 0  # the platform has no quotas, and is not asked for any


type Values = list[str | int]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownStanding:
    """Something that the decision needs is not in Redis."""


def admit_tenant(
    redis: Redis,
    organization_id: UUID,
    bucket: RateBucket,
    *,
    credential: tuple[UUID, str],
    events: int,
    all_or_nothing: bool,
    now: datetime,
) -> Admission | UnknownStanding:
    """Decide on one request of a tenant with *events*; with *all_or_nothing*, accept or hold all of them or none.

    *credential* is its id and, for a person, the epoch of the token.

    Raises:
        RedisAwayError: nobody knows whether it was counted.
    """
    keys = [bucket_key(organization_id, bucket), standing_key(organization_id), usage_key(organization_id, now)]
    credential_id, epoch = credential
    values = [*_moment(now), str(credential_id), epoch, events, int(all_or_nothing), *_tiers()]
    return _admission(redis.run(ADMIT, keys, values), now)


def admit_operator(
    redis: Redis, organization_id: UUID, credential_id: UUID, *, now: datetime
) -> Admission | UnknownStanding:
    """Decide on one request of a platform key, which is counted apart from every tenant's, as *organization_id*'s.

    Raises:
        RedisAwayError: nobody knows whether it was counted.
    """
    tier: Values = [PLATFORM_TIER, PLATFORM_REQUESTS_PER_MINUTE, NO_LIMIT, NO_LIMIT, NO_LIMIT, NO_LIMIT]
    keys = [f"{{{organization_id}}}:rate:{credential_id}"]
    return _admission(redis.run(ADMIT, keys, [*_moment(now), str(credential_id), "", 0, 0, *tier]), now)


def cancel_reservation(redis: Redis, organization_id: UUID, *, accepted: int, held: int, reserved_at: datetime) -> None:
    """Give back events that were reserved *reserved_at* then, and not taken.

    Raises:
        RedisAwayError: they stay reserved until the roll-up settles the counters.
    """
    redis.run(GIVE_BACK, [usage_key(organization_id, reserved_at)], [hour_of(reserved_at), accepted, held])


def put_standing(
    redis: Redis, organization_id: UUID, standing: Standing, *, credential: tuple[UUID, str] | None = None
) -> None:
    """Note how the organization stands, and one *credential*: `live`, `revoked`, or a person's epoch.

    Raises:
        RedisAwayError: what was known stays for a minute at most.
    """
    named = (str(credential[0]), credential[1]) if credential else ("", "")
    values: Values = [standing.version, standing.tier, standing.status, standing.epoch]
    values += [*named, _ms(STANDING_TTL)]
    redis.run(PUT_STANDING, [standing_key(organization_id)], values)


def seed_usage(redis: Redis, organization_id: UUID, so_far: MonthSoFar, *, now: datetime) -> None:
    """Begin to count the month of *now* from what the database knows; what is counted already stays.

    Raises:
        RedisAwayError: it may not be seeded.
    """
    end = month_of(now.date()).end
    forgotten_at = datetime(end.year, end.month, end.day, tzinfo=UTC) + COUNTER_RETENTION
    values: Values = [
        int(forgotten_at.timestamp() * 1000),
        now.date().isoformat(),
        so_far.requests,
        so_far.requests_today,
        so_far.events,
        so_far.held,
        so_far.storage_bytes,
    ]
    redis.run(SEED_USAGE, [usage_key(organization_id, now)], values)


def bucket_key(organization_id: UUID, bucket: RateBucket) -> str:
    """Return the key of a rate bucket."""
    return f"{{{organization_id}}}:rate:{bucket}"


def standing_key(organization_id: UUID) -> str:
    """Return the key of how the organization and its credentials stand."""
    return f"{{{organization_id}}}:standing"


def usage_key(organization_id: UUID, moment: datetime) -> str:
    """Return the key of what is used in the UTC month of *moment*."""
    return f"{{{organization_id}}}:usage:{moment.astimezone(UTC):%Y-%m}"


def hour_of(moment: datetime) -> str:
    """Return the UTC hour of *moment*, as the counters name it."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H}"


def _moment(now: datetime) -> Values:
    milliseconds = int(now.timestamp() * 1000)
    return [milliseconds, _ms(WINDOW), _ms(BLOCK), now.astimezone(UTC).date().isoformat(), hour_of(now)]


def _ms(duration: timedelta) -> int:
    return ceil(duration / timedelta(milliseconds=1))


def _tiers() -> Values:
    return [
        value
        for tier, quotas in QUOTAS.items()
        for value in (
            tier.value,
            quotas.api_requests_per_minute,
            quotas.api_requests_per_month,
            quotas.events_per_month,
            quotas.grace_events_per_month,
            quotas.storage_bytes,
        )
    ]


def _admission(result: Sequence[Any], now: datetime) -> Admission | UnknownStanding:
    match result:
        case ["unknown"]:
            return UnknownStanding()
        case ["unauthenticated"]:
            return Admission(verdict=AdmissionVerdict.UNAUTHENTICATED, rate=None)
    verdict, tier, status, limit, requests, ends_at, accepted, held, metric, used = result
    window = RateWindow(requests=int(requests), ends_at=datetime.fromtimestamp(int(ends_at) / 1000, UTC))
    return Admission(
        verdict=AdmissionVerdict(verdict),
        rate=rate_state(window, limit=int(limit), now=now),
        tier=None if tier == PLATFORM_TIER else Tier(tier),
        status=OrganizationStatus(status) if status else None,
        accepted=int(accepted),
        held=int(held),
        metric=Metric(metric or Metric.EVENTS),
        used=int(used),
    )
