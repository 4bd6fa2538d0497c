"""Tenants that Redis knows and that no limit stops while a figure is measured."""

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Final, NoReturn

from redis import Redis as Client

from scripts.bench.databases import Servers, own_valkey
from tenancy.rules.entitlements import Entitlements
from tenancy.rules.organization import OrganizationStatus
from tenancy.rules.standing import LIVE, CredentialState, Standing
from tenancy.rules.tenant import CallerKind, Tenant
from tenancy.rules.tiers import Tier
from tenancy.rules.usage import MonthSoFar
from tenancy.stores.redis.client import Redis
from tenancy.stores.redis.counters import bucket_key, put_standing, seed_usage, standing_key

PATIENCE_SECONDS: Final = 10.0  # a pause of the machine is measured, not taken for Redis being away
LASTS: Final = timedelta(days=1)
REQUESTS_BEFORE: Final = -1_000_000_000  # of the minute that lasts a day


@contextmanager
def redis_knowing(*tenants: Tenant) -> Iterator[tuple[Redis, Client]]:
    """Yield our Redis and a bare client, both of a Valkey database that knows only *tenants*."""
    with (
        own_valkey(Servers.load().redis_url) as url,
        closing(Redis(lambda: url, timeout_seconds=PATIENCE_SECONDS)) as redis,
        Client.from_url(url) as bare,
    ):
        for tenant in tenants:
            _make_known(redis, bare, tenant, now=datetime.now(UTC))
        yield redis, bare


def no_database() -> NoReturn:
    """End the benchmark: admission reads PostgreSQL only if Redis does not answer for the tenant."""
    sys.exit("Redis has no standing of the tenant, or is unreachable")


def _make_known(redis: Redis, bare: Client, tenant: Tenant, *, now: datetime) -> None:
    organization_id = tenant.organization_id
    standing = Standing(
        entitlements=Entitlements(tier=Tier.ENTERPRISE, overrides={}),
        status=OrganizationStatus.ACTIVE,
        epoch=0,
        version=1,
    )
    state = LIVE if tenant.kind is CallerKind.KEY else CredentialState(epoch=0)
    put_standing(redis, organization_id, standing, credential=(tenant.credential_id, state))
    bare.persist(standing_key(organization_id))
    so_far = MonthSoFar(events=0, held=0, storage_bytes=0)
    seed_usage(redis, organization_id, so_far, now=now)
    ends_at = int((now + LASTS).timestamp() * 1_000)
    bucket = bucket_key(organization_id, tenant.bucket)
    bare.hset(bucket, mapping={"requests": REQUESTS_BEFORE, "ends_at": ends_at})
