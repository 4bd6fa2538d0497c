"""How tests ask to be admitted, and what Redis then knows."""

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

from redis import Redis as Client

from tenancy.rules.admission import Admission
from tenancy.stores.redis.counters import standing_key
from tests.given import Databases

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)

type Admit = Callable[..., Admission]


def known_of(databases: Databases, organization_id: UUID) -> tuple[str | None, ...]:
    """Return the status and the tier that Redis has noted of the organization."""
    with Client.from_url(databases.servers.valkey_url, decode_responses=True) as client:
        return tuple(client.hmget(standing_key(organization_id), ["status", "tier"]))
