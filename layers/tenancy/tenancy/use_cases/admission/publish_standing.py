"""Publish an organization's standing to Redis."""

from uuid import UUID

from tenancy.errors import UnavailableError
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.standing import find_standing
from tenancy.stores.redis.client import Redis, RedisUnreachableError
from tenancy.stores.redis.counters import put_standing


def publish_standing(platform_db: Database, redis: Redis, organization_id: UUID) -> None:
    """Write the current standing from PostgreSQL to Redis. Redis keeps the newer version.

    Raises:
        UnavailableError: a store is unreachable. The old standing in Redis expires within a minute.
    """
    with platform_db.tenant_transaction(organization_id) as conn:
        standing = find_standing(conn, organization_id)
    if standing is None:
        return
    try:
        put_standing(redis, organization_id, standing)
    except RedisUnreachableError as error:
        raise UnavailableError("Redis is unreachable. The standing was not published.") from error
