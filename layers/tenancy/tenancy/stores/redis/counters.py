"""Counters of admission in Redis: standings, monthly usage and rate buckets.

Every key of an organization carries its id as a hash tag, so that one script reaches all of them in cluster mode.
Counters are hints. A missing key means "unknown". The value is then read from PostgreSQL.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

import msgspec

from tenancy.rules.admission import PLATFORM_TIER, Admission, AdmissionVerdict
from tenancy.rules.durations import COUNTER_RETENTION, LAST_USE_RETENTION, ONE_MILLISECOND, STANDING_TTL
from tenancy.rules.entitlements import ENTITLEMENT_NAMES, Entitlements, Overrides, OverrideValue, list_tiers
from tenancy.rules.organization import OrganizationStatus
from tenancy.rules.quotas import Metric
from tenancy.rules.rate_limit import BLOCK, BLOCKS, WINDOW, RateWindow, rate_state
from tenancy.rules.standing import CredentialState, Standing
from tenancy.rules.tenant import RateBucket
from tenancy.rules.tiers import PLATFORM_REQUESTS_PER_MINUTE, Quotas, Tier
from tenancy.rules.unix_time import milliseconds_of
from tenancy.rules.usage import MonthSoFar, month_of
from tenancy.stores.redis.client import Constants, Redis, Script

ADMIT: Final = Script(Path(__file__).with_name("admit.lua"))
GIVE_BACK: Final = Script(Path(__file__).with_name("give_back.lua"))
PUT_STANDING: Final = Script(Path(__file__).with_name("put_standing.lua"))
SEED_USAGE: Final = Script(Path(__file__).with_name("seed_usage.lua"))
WINDOW_MS: Final = WINDOW // ONE_MILLISECOND
BLOCKS_MS: Final = {bucket: block // ONE_MILLISECOND for bucket, block in BLOCKS.items()}
BLOCK_MS: Final = BLOCK // ONE_MILLISECOND
LAST_USE_RETENTION_MS: Final = LAST_USE_RETENTION // ONE_MILLISECOND
STANDING_TTL_MS: Final = STANDING_TTL // ONE_MILLISECOND
KEPT_KEYS: Final = 1_000  # sets of keys, each of an organization; those of further ones are made again
MONTH_LENGTH: Final = len("2026-11")
DAY_LENGTH: Final = len("2026-11-24")
HOUR_LENGTH: Final = len("2026-11-24T12")
KEPT_ENTITLEMENTS: Final = 1_000  # of organizations with equal tier and overrides together
UNKNOWN: Final = "unknown"
NO_LIMIT: Final = 0  # the script reads only the first limit of the platform
NO_LIMIT_TEXT: Final = ""
PLATFORM_LIMITS: Final = Constants([PLATFORM_TIER, PLATFORM_REQUESTS_PER_MINUTE, *[NO_LIMIT] * 7])
# The members by their texts. A look-up takes a tenth of a call of the class.
VERDICT_OF: Final[Mapping[str, AdmissionVerdict]] = {each.value: each for each in AdmissionVerdict}
STATUS_OF: Final[Mapping[str, OrganizationStatus]] = {each.value: each for each in OrganizationStatus}
METRIC_OF: Final[Mapping[str, Metric]] = {each.value: each for each in Metric}
_overrides_decoder: Final = msgspec.json.Decoder(dict[str, OverrideValue])

type Values = list[str | int]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownStanding:
    """The result of admission if a key or field that the decision needs is missing."""


def admit_tenant(
    redis: Redis,
    organization_id: UUID,
    bucket: RateBucket,
    *,
    credential: tuple[UUID, str],
    events: int,
    ages: Sequence[int] = (),
    all_or_nothing: bool,
    now: datetime,
) -> Admission | UnknownStanding:
    """Decide on one request of a tenant with *events*, and reserve them.

    *credential* is the id of the credential and, for a person, the epochs of the token. *ages* has the age in days of
    each further event, which counts only if the organization's retention includes it. With *all_or_nothing* the events
    are accepted and held together or not at all.

    Raises:
        RedisUnreachableError: the request may have been counted.
    """
    text = _utc_text(now)
    keys = _keys_of_admission(organization_id, bucket, text[:MONTH_LENGTH])
    credential_id, epoch = credential
    asked: Values = [events, ",".join(map(str, ages)), int(all_or_nothing), LAST_USE_RETENTION_MS]
    values = [*_moment(now, text, BLOCKS_MS[bucket]), str(credential_id), epoch, *asked]
    return _admission(redis.run(ADMIT, keys, values, _tiers()), now)


def admit_operator(
    redis: Redis, organization_id: UUID, credential_id: UUID, *, now: datetime
) -> Admission | UnknownStanding:
    """Decide on one request of a platform key, which is counted under *organization_id*.

    The count is independent of all tenants.

    Raises:
        RedisUnreachableError: the request may have been counted.
    """
    keys = [f"{{{organization_id}}}:rate:{credential_id}", last_use_key(organization_id)]
    values = [*_moment(now, _utc_text(now), BLOCK_MS), str(credential_id), "", 0, "", 0, LAST_USE_RETENTION_MS]
    return _admission(redis.run(ADMIT, keys, values, PLATFORM_LIMITS), now)


def cancel_reservation(redis: Redis, organization_id: UUID, *, accepted: int, held: int, reserved_at: datetime) -> None:
    """Give back events that were reserved at *reserved_at* and not enqueued.

    Raises:
        RedisUnreachableError: the events stay reserved until the roll-up settles the counters.
    """
    redis.run(GIVE_BACK, [usage_key(organization_id, reserved_at)], [hour_of(reserved_at), accepted, held])


def put_standing(
    redis: Redis, organization_id: UUID, standing: Standing, *, credential: tuple[UUID, CredentialState] | None = None
) -> None:
    """Store the organization's standing and, optionally, the state of one *credential*.

    A narrower state stays: revoked, an earlier end, a later epoch.

    Raises:
        RedisUnreachableError: the old standing stays for at most a minute.
    """
    named = (str(credential[0]), credential[1].text) if credential else ("", "")
    entitlements = standing.entitlements
    values: Values = [standing.version, entitlements.tier, standing.status, standing.epoch]
    values += [",".join(map(str, _limits(entitlements.quotas))), _encode_overrides(entitlements.overrides)]
    values += [*named, STANDING_TTL_MS]
    redis.run(PUT_STANDING, [standing_key(organization_id)], values)


def seed_usage(redis: Redis, organization_id: UUID, so_far: MonthSoFar, *, now: datetime) -> None:
    """Initialize the counters of the month of *now* from the database, unless they exist.

    Raises:
        RedisUnreachableError: the counters may not be initialized.
    """
    end = month_of(now.date()).end
    expires_at = datetime(end.year, end.month, end.day, tzinfo=UTC) + COUNTER_RETENTION
    values: Values = [
        milliseconds_of(expires_at),
        now.date().isoformat(),
        so_far.requests.all,
        so_far.requests_today.all,
        so_far.requests.management,
        so_far.requests_today.management,
        so_far.events,
        so_far.held,
        so_far.storage_bytes,
    ]
    redis.run(SEED_USAGE, [usage_key(organization_id, now)], values)


@lru_cache(maxsize=KEPT_KEYS)
def _keys_of_admission(organization_id: UUID, bucket: RateBucket, month: str) -> tuple[str, ...]:
    return (
        bucket_key(organization_id, bucket),
        last_use_key(organization_id),
        standing_key(organization_id),
        _month_key(organization_id, month),
    )


def bucket_key(organization_id: UUID, bucket: RateBucket) -> str:
    """Return the key of a rate bucket of the organization."""
    return f"{{{organization_id}}}:rate:{bucket}"


def standing_key(organization_id: UUID) -> str:
    """Return the key of the standing of the organization and its credentials."""
    return f"{{{organization_id}}}:standing"


def usage_key(organization_id: UUID, moment: datetime) -> str:
    """Return the key of the organization's usage in the UTC month of *moment*."""
    return _month_key(organization_id, _utc_text(moment)[:MONTH_LENGTH])


def _month_key(organization_id: UUID, month: str) -> str:
    return f"{{{organization_id}}}:usage:{month}"


def last_use_key(organization_id: UUID) -> str:
    """Return the key of the last uses of the organization's keys that no roll-up has persisted."""
    return f"{{{organization_id}}}:last_use"


def hour_of(moment: datetime) -> str:
    """Return the UTC hour of *moment* as it stands in the field names of counters."""
    return _utc_text(moment)[:HOUR_LENGTH]


def _moment(now: datetime, text: str, block_ms: int) -> Values:
    """Return the first arguments of the script. *text* is that of *now* in UTC."""
    return [milliseconds_of(now), WINDOW_MS, block_ms, text[:DAY_LENGTH], text[:HOUR_LENGTH]]


def _utc_text(moment: datetime) -> str:
    """Return *moment* in UTC as `2026-11-24T12:34:56…`. Its prefixes name months, days and hours."""
    return (moment if moment.tzinfo is UTC else moment.astimezone(UTC)).isoformat()


@cache
def _tiers() -> Constants:
    return Constants(value for each in list_tiers() for value in (each.tier.value, *_limits(each.quotas)))


def _limits(quotas: Quotas[int | None]) -> Values:
    """Return the limits that the script decides by, in its order."""
    limits = (
        quotas.api_requests_per_minute,
        quotas.api_requests_per_month,
        quotas.ingest_requests_per_minute,
        quotas.ingest_requests_per_month,
        quotas.events_per_month,
        quotas.grace_events_per_month,
        quotas.storage_bytes,
        quotas.data_retention_days,
    )
    return [NO_LIMIT_TEXT if limit is None else limit for limit in limits]


def _encode_overrides(overrides: Overrides) -> str:
    """Return the overrides that this release knows as JSON, so that Redis holds no other text."""
    known = {name: value for name, value in overrides.items() if name in ENTITLEMENT_NAMES}
    return msgspec.json.encode(known).decode() if known else ""


@lru_cache(maxsize=KEPT_ENTITLEMENTS)
def _entitlements(tier: str, overrides: str) -> Entitlements | None:
    """Return the entitlements of a tenant, or None for the platform."""
    if tier == PLATFORM_TIER:
        return None
    decoded = _overrides_decoder.decode(overrides) if overrides else {}
    return Entitlements(tier=Tier(tier), overrides=MappingProxyType(decoded))  # organizations share it


def _admission(result: Sequence[Any], now: datetime) -> Admission | UnknownStanding:
    if len(result) == 1:
        if result[0] == UNKNOWN:
            return UnknownStanding()
        return Admission(verdict=VERDICT_OF[result[0]], rate=None)
    verdict, tier, status, limit, requests, ends_at, accepted, held, metric, used, overrides = result
    window = RateWindow(requests=int(requests), ends_at=datetime.fromtimestamp(int(ends_at) / 1000, UTC))
    return Admission(
        verdict=VERDICT_OF[verdict],
        rate=rate_state(window, limit=int(limit), now=now),
        entitlements=_entitlements(tier, overrides),
        status=STATUS_OF[status] if status else None,
        accepted=int(accepted),
        held=int(held),
        metric=METRIC_OF[metric or Metric.EVENTS],
        used=int(used),
    )
