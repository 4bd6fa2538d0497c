"""Events of organizations in ClickHouse, and roll-ups of the databases between the moves.

The time of both is that of a month that has passed, and a step takes two days. A roll-up counts each day with new rows
again, and perhaps the day before. So the rows of a day are lost if neither the last roll-up of the former home nor the
next one of the new home counts them.
"""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from tenancy.rules.statistics import StatisticsQuery
from tenancy.rules.usage import Period
from tenancy.stores.clickhouse.client import Client as ClickHouse
from tenancy.stores.postgres.usage import list_daily_usage
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.schedule.roll_up import roll_up
from tenancy.use_cases.usage.read_statistics import read_organization_statistics
from tenancy.use_cases.usage.read_usage import read_organization_usage
from tests.given import Databases
from tests.moves.servers import Deployment
from tests.moves.traffic import Client, Organization
from tests.use_cases.storing import put

LONGEST_STEP, LONGEST_TEST = timedelta(days=2), timedelta(days=26)  # the month must not end meanwhile
MAX_EVENTS = 20


@dataclass(slots=True, kw_only=True)
class CountedEvents:
    """The events of *organizations* in the ClickHouse of *stores*, and a model of their number."""

    deployment: Deployment
    stores: Databases
    redis: Redis
    organizations: Sequence[Organization]
    now: datetime
    step: timedelta
    events: Counter[UUID] = field(default_factory=Counter)

    def work(self, chance: random.Random) -> None:
        """Store events of some organizations, and then roll up in one database or in none."""
        self.now += self.step
        for each in chance.sample(self.organizations, k=2):
            first, number = self.events[each.id], chance.randrange(1, MAX_EVENTS)
            put(self.stores, each.id, range(first, first + number), at=self.now)
            self.events[each.id] += number
        if name := chance.choice(["", *self.deployment.databases]):
            self.roll_up(name)

    def roll_up(self, name: str) -> None:
        self.now += timedelta(seconds=1)
        done = roll_up(self.deployment[name].platform, self.stores.clickhouse, self.redis, now=self.now)
        assert (done.ran, done.statistics_drifts) == (True, {})

    def require_model(self, homes: dict[UUID, str]) -> None:
        """Check usage and statistics before and after a last roll-up, and the stored usage after it."""
        self._require_reads()
        for name in self.deployment.databases:
            self.roll_up(name)
        self._require_reads()
        for each in self.organizations:
            with self.deployment[homes[each.id]].functions.tenant_transaction(each.id) as conn:
                days = list_daily_usage(conn, each.id)
            counted = sum(day.events for day in days), sum(day.ml_predictions for day in days)
            assert counted == (self.events[each.id], each.usage)

    def _require_reads(self) -> None:
        period = Period(start=self.now.date() - LONGEST_TEST, end=self.now.date() + timedelta(days=1))
        query = StatisticsQuery(period=period, group_by=[])
        with Client.of(self.deployment).closing() as client:
            for each in self.organizations:
                homes, number = client.functions, self.events[each.id]
                read = read_organization_usage(homes, self._client, each.id, lambda: period, now=self.now)
                assert sum(day.events for day in read.daily) == number
                _, page = read_organization_statistics(homes, self._client, each.id, lambda: query, now=self.now)
                assert sum(group.events for group in page.rows) == number

    def _client(self) -> ClickHouse:
        return self.stores.clickhouse


def counted_events(
    deployment: Deployment, stores: Databases, redis: Redis, organizations: Sequence[Organization], *, steps: int
) -> CountedEvents:
    """Return no events yet, for a test with that many *steps*."""
    this_month = datetime.now(UTC).replace(day=1)
    begin = (this_month - timedelta(days=1)).replace(day=1)
    step = min(LONGEST_STEP, LONGEST_TEST / steps)
    return CountedEvents(
        deployment=deployment, stores=stores, redis=redis, organizations=organizations, now=begin, step=step
    )
