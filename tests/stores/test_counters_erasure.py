"""An erasure deletes and counts every key of an organization, on every day of a year."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from redis import Redis as Client

from tenancy.rules.durations import LOG_IN_COUNTING_TIME
from tenancy.rules.usage import MonthSoFar
from tenancy.stores.redis.client import Redis
from tenancy.stores.redis.counters import seed_usage, usage_key
from tenancy.stores.redis.log_ins import reserve_log_in
from tenancy.stores.redis.platform.counters import count_counters, delete_counters
from tests.given import Servers

OWN = UUID("0c000000-0000-4000-8000-0000000000a1")
NOTHING = MonthSoFar(events=0, held=0, storage_bytes=0)
# In the future, so that Redis does not expire the keys by itself. 2028 is a leap year.
MONTHS = [datetime(year, month, 1, tzinfo=UTC) for year in (2027, 2028, 2029) for month in range(1, 13)]
DAYS = [datetime(2028, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in range(366 + 365)]
ONE_MILLISECOND = timedelta(milliseconds=1)


def seed(counters: Redis, client: Client, months: list[datetime]) -> dict[datetime, datetime]:
    """Create the counters of each of *months*, and return when they expire."""
    for month in months:
        seed_usage(counters, OWN, NOTHING, now=month)
    ends = {month: int(str(client.pexpiretime(usage_key(OWN, month)))) for month in months}
    return {month: datetime.fromtimestamp(end / 1000, UTC) for month, end in ends.items()}


def test_every_existing_key_is_counted_and_deleted(counters: Redis, servers: Servers) -> None:
    with Client.from_url(servers.valkey_url) as client:
        ends = seed(counters, client, MONTHS)
        client.flushall()

        for now in (moment for day in DAYS for moment in (day, day + timedelta(days=1) - ONE_MILLISECOND)):
            alive = [month for month, end in ends.items() if month <= now < end]
            seed(counters, client, alive)

            assert count_counters(counters, OWN, now=now) == len(alive)
            delete_counters(counters, OWN, now=now)
            assert client.dbsize() == 0, now


def test_failed_log_ins_are_counted_and_deleted(counters: Redis, servers: Servers) -> None:
    with Client.from_url(servers.valkey_url) as client:
        for minute in range(30):
            attempted_at = MONTHS[0] + timedelta(minutes=minute)
            reserve_log_in(counters, OWN, "field", now=attempted_at)
            [key] = client.keys("*:logins:*")
            lives_for = timedelta(milliseconds=int(str(client.pttl(key))))

            assert LOG_IN_COUNTING_TIME < lives_for <= 2 * LOG_IN_COUNTING_TIME
            last = attempted_at + lives_for - ONE_MILLISECOND
            for now in (attempted_at, last):
                assert count_counters(counters, OWN, now=now) == 1
            delete_counters(counters, OWN, now=last)
            assert client.dbsize() == 0
