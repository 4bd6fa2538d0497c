"""Tell Redis at once how an organization stands, after the change of it has been committed."""

from contextlib import suppress
from uuid import UUID

from tenancy.standing import Standing
from tenancy.stores.counters import put_standing
from tenancy.stores.redis import Redis, RedisAwayError


def publish_standing(redis: Redis, organization_id: UUID, standing: Standing | None) -> None:
    """Tell Redis, which would otherwise learn it within a minute, as it does while it is away."""
    if standing is not None:
        with suppress(RedisAwayError):
            put_standing(redis, organization_id, standing)
