"""Publish an organization's standing, and the state of a credential, to Redis."""

from uuid import UUID

from tenancy.errors import UnavailableError
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.standing import find_credential, find_standing
from tenancy.stores.redis.client import Redis, RedisUnreachableError
from tenancy.stores.redis.counters import put_standing


def publish_standing(
    platform_db: Homes, redis: Redis, organization_id: UUID, *, credential_id: UUID | None = None
) -> None:
    """Write the current standing, and the state of a credential, from PostgreSQL to Redis.

    Redis keeps the newer version of a standing, and the narrower state of a credential.

    Raises:
        UnavailableError: a store is unreachable. The old standing in Redis expires within a minute.
    """
    with platform_db.tenant_transaction(organization_id) as conn:
        standing = find_standing(conn, organization_id)
        state = find_credential(conn, organization_id, credential_id) if credential_id else None
    if standing is None:
        return
    credential = (credential_id, state) if credential_id and state else None
    try:
        put_standing(redis, organization_id, standing, credential=credential)
    except RedisUnreachableError as error:
        raise UnavailableError("Redis is unreachable. The standing was not published.") from error
