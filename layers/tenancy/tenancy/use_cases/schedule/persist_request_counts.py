"""Persist Redis's request counts every minute, so that it can lose at most one minute."""

from datetime import date, datetime
from uuid import UUID

from tenancy.rules.durations import ONE_DAY
from tenancy.rules.usage import RequestCounts
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.platform.organizations import list_counted_organizations
from tenancy.stores.postgres.platform.usage import update_daily_requests
from tenancy.stores.redis.client import Redis, RedisUnreachableError
from tenancy.stores.redis.platform.counters import list_requests


def persist_request_counts(platform_db: Database, redis: Redis, *, now: datetime) -> int | None:
    """Persist the request counts of today and yesterday, and return the number of counts.

    Return None if Redis is unreachable. Idempotent. Writes absolute totals. A Redis counter that restarted never lowers
    a stored total.

    Raises:
        UnavailableError: the database is unreachable. The next minute persists the counts.
    """
    with platform_db.transaction() as conn:
        organization_ids = list_counted_organizations(conn)
    requests: dict[tuple[UUID, date], RequestCounts] = {}
    try:
        for moment in (now - ONE_DAY, now):
            day = moment.date()
            counts = list_requests(redis, organization_ids, day, now=moment)
            requests.update({(organization_id, day): count for organization_id, count in counts.items()})
    except RedisUnreachableError:
        return None
    with platform_db.transaction() as conn:
        update_daily_requests(conn, requests, now=now)
    return len(requests)
