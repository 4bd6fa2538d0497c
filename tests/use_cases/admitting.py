"""Helpers of the admission tests."""

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

from redis import Redis as Client

from tenancy.rules.admission import Admission
from tenancy.stores.redis.counters import standing_key
from tests.given import Databases

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
REDIS_TIMEOUT_SECONDS = 120.0  # long, because many clients may share a slow machine

type Admit = Callable[..., Admission]


def cached_standing(databases: Databases, organization_id: UUID) -> tuple[str | None, ...]:
    """Return status and tier of the organization in Redis."""
    with Client.from_url(databases.servers.valkey_url, decode_responses=True) as client:
        return tuple(client.hmget(standing_key(organization_id), ["status", "tier"]))
