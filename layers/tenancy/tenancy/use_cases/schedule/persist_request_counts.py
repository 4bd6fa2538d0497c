"""Every minute: the requests that Redis has counted are kept in PostgreSQL; what it loses is a minute's at most."""

from datetime import date, datetime
from uuid import UUID

from tenancy.rules.durations import ONE_DAY
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.platform.organizations import list_counted
from tenancy.stores.postgres.platform.usage import update_daily_requests
from tenancy.stores.redis.client import Redis, RedisUnreachableError
from tenancy.stores.redis.platform.counters import list_requests


def persist_request_counts(platform_db: Database, redis: Redis, *, now: datetime) -> int | None:
    """Keep the requests of today and of the day before; return of how many, None while Redis is away.

    Absolute: a second time changes nothing, and a counter that began anew takes nothing away.

    Raises:
        UnavailableError: the database is away; the next minute keeps them.
    """
    with platform_db.transaction() as conn:
        organization_ids = list_counted(conn)
    requests: dict[tuple[UUID, date], int] = {}
    try:
        for moment in (now - ONE_DAY, now):
            counted = list_requests(redis, organization_ids, moment.date(), now=moment)
            requests.update({(each, moment.date()): count for each, count in counted.items()})
    except RedisUnreachableError:
        return None
    with platform_db.transaction() as conn:
        update_daily_requests(conn, requests)
    return len(requests)
