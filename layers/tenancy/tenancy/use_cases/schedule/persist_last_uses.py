"""Persist the hours in which keys were used. Redis notes them, and may lose them."""

from itertools import batched
from typing import Final
from uuid import UUID

from tenancy.rules.audit_record import PLATFORM_LOG
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.platform.last_uses import update_last_uses, update_platform_last_uses
from tenancy.stores.postgres.platform.organizations import list_counted_organizations
from tenancy.stores.redis.client import Redis, RedisUnreachableError
from tenancy.stores.redis.platform.last_uses import LastUses, forget_last_uses, list_last_uses
from tenancy.use_cases.schedule.failures import skip_moved

CHUNK: Final = 1_000  # organizations


def persist_last_uses(platform_db: Database, redis: Redis) -> int | None:
    """Persist the last uses of all API keys, and return their number.

    Return None if Redis is unreachable. Idempotent: an hour is deleted from Redis after its commit. So the work is
    bounded by the number of keys that were used since the last run.

    Raises:
        UnavailableError: the database is unreachable. The next run persists the rest.
    """
    with platform_db.transaction() as conn:
        organization_ids = [PLATFORM_LOG, *list_counted_organizations(conn)]
    persisted = 0
    try:
        for chunk in batched(organization_ids, CHUNK, strict=False):
            uses = list_last_uses(redis, chunk)
            stored: dict[UUID, LastUses] = {}
            for organization_id, used in uses.items():
                with skip_moved():
                    _persist(platform_db, organization_id, used)
                    stored[organization_id] = used
            forget_last_uses(redis, stored)
            persisted += sum(map(len, stored.values()))
    except RedisUnreachableError:
        return None
    return persisted


def _persist(platform_db: Database, organization_id: UUID, uses: LastUses) -> None:
    if organization_id == PLATFORM_LOG:
        with platform_db.transaction() as conn:
            update_platform_last_uses(conn, uses)
        return
    with platform_db.tenant_transaction(organization_id) as conn:
        update_last_uses(conn, organization_id, uses)
