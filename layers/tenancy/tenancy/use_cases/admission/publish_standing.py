"""Tell Redis how an organization stands: at once by the request that has changed it, else by the sweep."""

from uuid import UUID

from tenancy.errors import UnavailableError
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.standing import find_standing
from tenancy.stores.redis.client import Redis, RedisUnreachableError
from tenancy.stores.redis.counters import put_standing


def publish_standing(platform_db: Database, redis: Redis, organization_id: UUID) -> None:
    """Tell Redis what PostgreSQL says now, whichever change it is told for; Redis keeps what is newer.

    Raises:
        UnavailableError: a store is away; Redis forgets what it knows within a minute.
    """
    with platform_db.tenant_transaction(organization_id) as conn:
        standing = find_standing(conn, organization_id)
    if standing is None:
        return
    try:
        put_standing(redis, organization_id, standing)
    except RedisUnreachableError as error:
        raise UnavailableError("Redis does not take the standing.") from error
