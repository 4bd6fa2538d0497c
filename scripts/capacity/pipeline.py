"""The way of an event, simulated: API Gateway, authorizer, ingest, Valkey, SQS, load, ClickHouse."""

import random
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Final

from simpy import Environment
from simpy.events import ProcessGenerator

from scripts.capacity.environments import EnvironmentRules, Environments
from scripts.capacity.known import AwsNumbers, ServiceTimes
from scripts.capacity.loaders import LoaderRules, Loaders, QueuedMessage
from scripts.capacity.plan import CostModel, Plan
from scripts.capacity.stations import Gauge, Station, TokenBucket
from scripts.capacity.traffic import Population, Traffic, arrivals

CACHE_SECONDS: Final = 60.0  # of the authorizer's answers, and of standings in Redis
SPARE: Final = 1.1  # environments that are warm before the first request, over the need of the calm load


@dataclass(kw_only=True)
class Counts:
    """The requests since the warm-up. *refused* is by the place that refused."""

    arrived: int = 0
    accepted: int = 0
    events: int = 0
    authorized: int = 0
    transactions: int = 0
    cold_starts: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One second of a simulation, of all slices: requests of that second, busy environments and waiting messages."""

    second: float
    arrived: int
    refused: int
    busy: int
    waiting: int


class Pipeline:
    """One of *slices* equal parts of the platform: so much of its requests, and of every limit.

    The organizations of a slice have their keys on Valkey shards of their own.
    """

    def __init__(
        self, traffic: Traffic, plan: Plan, aws: AwsNumbers, times: ServiceTimes, *, slices: int = 1, seed: int = 1
    ) -> None:
        """Build the stations, with the environments warm that the calm load needs."""
        self.env = Environment()
        self.traffic = traffic.slice(slices)
        self._chance = random.Random(seed)  # noqa: S311 - a simulation, and repeatable
        self._population = Population(self.traffic, self._chance)
        self._model = CostModel(aws, times, plan)
        self._plan, self._aws, self._slices = plan, aws, slices
        self._shards = [Station(self.env) for _ in range(max(1, round(plan.shards / slices)))]
        burst = aws.quotas["gateway_burst"] * plan.gateway_rate / aws.quotas["gateway_requests_per_second"]
        self._account = TokenBucket(self.env, rate=plan.gateway_rate / slices, size=max(1.0, burst / slices))
        method = plan.method_rate / slices
        self._method = TokenBucket(self.env, rate=method, size=max(1.0, method))
        self.authorizer = self._environments(self._model.authorizer(), share=0.05)
        self.ingest = self._environments(self._model.costs(traffic).ingest, share=1.0)
        self.clickhouse = Station(
            self.env, plan.clickhouse_processors * aws.assumptions["clickhouse_utilization"] / slices
        )
        self.loaders = Loaders(self.env, self._loader_rules(), self.clickhouse, self._model)
        self.requests = Gauge(self.env)
        self.counts = Counts()
        self.moments: list[Moment] = []
        self._authorized_until = self._cached()
        self._known_until = self._cached()
        self._messages: deque[QueuedMessage] = self.loaders.queue

    @property
    def shards(self) -> list[Station]:
        """Return the shards of Valkey."""
        return self._shards

    def run(self, *, warm_up: float, seconds: float) -> None:
        """Simulate *warm_up* seconds, forget them, then simulate *seconds*."""
        self.env.process(self._arrive())
        self.env.process(self._watch())
        if warm_up:
            self.env.run(until=warm_up)
            self.restart()
        self.env.run(until=warm_up + seconds)

    def restart(self) -> None:
        """Forget the counts so far."""
        self.counts = Counts()
        self.moments.clear()
        for station in (*self._shards, self.clickhouse):
            station.restart()
        for gauge in (self.requests, self.ingest.busy, self.authorizer.busy):
            gauge.restart()
        self.loaders.restart()

    def _environments(self, seconds: float, *, share: float) -> Environments:
        calls = self._aws.quotas["lambda_requests_per_second_of_an_environment"]
        rules = EnvironmentRules(
            limit=self._plan.concurrency / self._slices,
            new_per_10_seconds=self._aws.new_environments / self._slices,
            calls_per_second=calls,
        )
        rate = share * self.traffic.rate * self.traffic.calm
        return Environments(self.env, rules, warm=SPARE * max(rate * seconds, rate / calls) + 1)

    def _loader_rules(self) -> LoaderRules:
        quotas = self._aws.quotas
        costs = self._model.costs(self.traffic)
        calm = self.traffic.rate * self.traffic.calm / costs.batch_messages
        first = max(
            quotas["load_first_batches"] * self._plan.queues / self._slices,
            SPARE * calm * (self._plan.load_window + costs.load + costs.insert),
        )
        limit = self._plan.load_concurrency / self._slices
        return LoaderRules(
            first=min(first, limit),
            limit=limit,
            more_per_minute=quotas["load_batches_per_minute"] * self._plan.queues / self._slices,
            batch=self._plan.load_batch,
            payload=quotas["lambda_payload_bytes"],
            window=self._plan.load_window,
            in_flight=quotas["sqs_in_flight"] * self._plan.queues / self._slices,
        )

    def _cached(self) -> list[float]:
        """Return until when each organization is in a cache of 60 seconds that was used for long.

        An organization with a request each *gap* seconds in the mean is in it for 60 of 60 + *gap* seconds.
        """
        chance = self._chance
        rates = (share * self.traffic.rate for share in self._population.shares)
        return [
            chance.random() * CACHE_SECONDS if chance.random() < 1 - 1 / (1 + rate * CACHE_SECONDS) else 0.0
            for rate in rates
        ]

    def _watch(self) -> ProcessGenerator:
        """Note the numbers of each second."""
        counts, arrived, refused = self.counts, 0, 0
        while True:
            yield self.env.timeout(1.0)
            if counts is not self.counts:  # the warm-up has just ended
                counts, arrived, refused = self.counts, 0, 0
                continue
            moment = Moment(
                second=self.env.now,
                arrived=(counts.arrived - arrived) * self._slices,
                refused=(counts.refused.total() - refused) * self._slices,
                busy=self.ingest.busy.value * self._slices,
                waiting=len(self._messages) * self._slices,
            )
            self.moments.append(moment)
            arrived, refused = counts.arrived, counts.refused.total()

    def _arrive(self) -> ProcessGenerator:
        for moment in arrivals(self.traffic, self._chance):
            yield self.env.timeout(moment - self.env.now)
            self.counts.arrived += 1
            if not (self._account.take() and self._method.take()):
                self.counts.refused["API Gateway"] += 1
                continue
            self.env.process(self._request(self._population.organization(), self._population.size()))

    def _request(self, organization: int, events: int) -> ProcessGenerator:
        counts, started = self.counts, self.env.now
        self.requests.add(1)
        refused_by = yield from self._answer(organization, events, counts)
        self.requests.add(-1)
        if refused_by:
            counts.refused[refused_by] += 1
        else:
            counts.accepted += 1
            counts.events += events
            counts.latencies.append(self.env.now - started + self._aws.assumptions["gateway_milliseconds"] / 1_000)

    def _answer(self, organization: int, events: int, counts: Counts) -> ProcessGenerator:
        if self.env.now >= self._authorized_until[organization]:
            is_cold = self.authorizer.take()
            if is_cold is None:
                return "authorizer"
            counts.authorized += 1
            counts.transactions += 1
            start = self._model.authorizer_start() if is_cold else 0.0
            yield self.env.timeout(start + self._model.authorizer())
            self.authorizer.give_back()
            self._authorized_until[organization] = self.env.now + CACHE_SECONDS
        is_cold = self.ingest.take()
        if is_cold is None:
            return "ingest"
        counts.cold_starts += is_cold
        start = self._model.ingest_start() if is_cold else 0.0
        yield self.env.timeout(start + self._model.ingest_before(events))
        yield from self._admit(organization, counts)
        yield self.env.timeout(self._model.ingest_after())
        self.ingest.give_back()
        self._messages.append(QueuedMessage(self.env.now, events, self._model.message_bytes(events)))
        return ""

    def _admit(self, organization: int, counts: Counts) -> ProcessGenerator:
        """Run the script, after PostgreSQL was read if Valkey does not know the organization.

        PostgreSQL is then read twice, and Valkey called four times (`use_cases/admission/admit.py`).
        """
        shard = self._shards[organization % len(self._shards)]
        if self.env.now >= self._known_until[organization]:
            self._known_until[organization] = self.env.now + CACHE_SECONDS
            counts.transactions += 2
            for _ in range(3):
                yield from shard.serve(self._model.script())
            yield self.env.timeout(2 * self._model.postgres())
        yield from shard.serve(self._model.script())
