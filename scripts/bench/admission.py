"""Admission: what every request waits for before anything else is done for it."""

import sys
from datetime import UTC, datetime
from itertools import cycle
from typing import Final, NoReturn
from uuid import uuid4

from redis import Redis as BareRedis

from scripts.bench.databases import Servers, own_valkey
from scripts.bench.figure import Comparison, Figure, alternate, clock_seconds
from tenancy.admission import Verdict
from tenancy.organization import Status
from tenancy.permissions import PERMISSIONS
from tenancy.standing import LIVE, Standing
from tenancy.stores.counters import put_standing, seed_usage
from tenancy.stores.redis import Redis
from tenancy.tenant import Bucket, CallerKind, Tenant
from tenancy.tiers import Tier
from tenancy.usage import MonthSoFar
from tenancy.use_cases.admit import Admissions

TENANTS: Final = 20  # their rate limits together are more than a round can ask for
EVENTS: Final = 100
PATIENCE_SECONDS: Final = 10.0  # a pause of the machine is measured, not taken for Redis being away
MILLISECONDS: Final = 1_000


def measure(rounds: int) -> Figure:
    """Measure with the stack's Valkey, in a database of its own."""
    with own_valkey(Servers.load().redis_url) as url, BareRedis.from_url(url) as bare:
        redis = Redis(lambda: url, patience_seconds=PATIENCE_SECONDS)
        comparisons = [
            _compare("a request", 0, redis, bare, rounds),
            _compare(f"with {EVENTS} events", EVENTS, redis, bare, rounds),
        ]
        redis.close()
    return Figure(
        name="admission",
        unit="milliseconds by the clock, less is better",
        measured="Admissions.admit of a tenant that Redis knows, in this process: one round trip, in which the "
        f"credential, the rate limit and the quotas are decided; with {EVENTS} events, these are reserved as well. "
        "Valkey is the stack's and shares this machine; on AWS its network comes on top, for both.",
        reference="a bare redis-py ping() of the same Valkey, over a connection that is open",
        comparisons=comparisons,
    )


def _compare(what: str, events: int, redis: Redis, bare: BareRedis, rounds: int) -> Comparison:
    return alternate(
        what,
        rounds,
        lambda: MILLISECONDS * _admit(redis, events),
        lambda: MILLISECONDS * clock_seconds(bare.ping),
    )


def _admit(redis: Redis, events: int) -> float:
    """Return the seconds of one admission; tenants are new, as Redis forgets one's standing within a minute."""
    now = datetime.now(UTC)
    tenants = cycle([_known_tenant(redis, now) for _ in range(TENANTS)])
    admissions = Admissions(redis, _exit)

    def admit() -> None:
        admission = admissions.admit(next(tenants), events=events, now=now)
        if admission.verdict is not Verdict.ADMITTED or admission.accepted != events or admission.is_degraded:
            sys.exit(f"not admitted as a known tenant is: {admission}")

    return clock_seconds(admit)


def _known_tenant(redis: Redis, now: datetime) -> Tenant:
    tenant = Tenant(
        organization_id=uuid4(),
        subdomain="acme",
        tier=Tier.ENTERPRISE,
        scopes=PERMISSIONS,
        credential_id=uuid4(),
        kind=CallerKind.KEY,
        bucket=Bucket.INGEST,
    )
    standing = Standing(tier=tenant.tier, status=Status.ACTIVE, epoch=0, version=1)
    put_standing(redis, tenant.organization_id, standing, credential=(tenant.credential_id, LIVE))
    so_far = MonthSoFar(requests=0, requests_today=0, events=0, held=0, storage_bytes=0)
    seed_usage(redis, tenant.organization_id, so_far, now=now)
    return tenant


def _exit() -> NoReturn:
    sys.exit("Redis knows every tenant here: PostgreSQL must not be asked")
