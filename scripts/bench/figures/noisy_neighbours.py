"""Noisy neighbours: an organization at 50 times its rate limit, and the latency of the others."""

import asyncio
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from math import ceil
from statistics import median
from typing import Final
from uuid import UUID

import psutil

from scripts.bench.customers import Customer, OwnStores, own_stores, provision_customers
from scripts.bench.figure import Comparison, Effort, Figure, at_most
from scripts.bench.local_platform import local_platform
from scripts.bench.neighbours import OK, TOO_MANY, Mix, Neighbours, SentRequest, one_of_each
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.schedule.roll_up import roll_up

ORGANIZATIONS: Final = 1_000
FEWEST: Final = 10
WELL_BEHAVED: Final = 100  # send the extra requests in the reference
LIMIT: Final = 60  # ingest requests per minute of each organization
TIMES_LIMIT: Final = 50
RATE: Final = 30.0  # usual requests per second of all organizations
SECONDS, SMALLEST_SECONDS = 8, 2
SECONDS_PER_MINUTE: Final = 60
PROCESSES: Final = {"ingest": 2, "usage": 2}
NOISY: Final = 0
PERCENTILE: Final = 0.99
MOST_RATIO: Final = 1.5
MILLISECONDS: Final = 1_000
REDIS_SECONDS: Final = 30.0
COUNT_ROWS: Final = "SELECT organization_id, count() FROM events FINAL GROUP BY organization_id"


@dataclass(slots=True, kw_only=True)
class NeighbourRuns:
    """The results of the runs of one side: p99 of the others in milliseconds, and the idle share of the processors."""

    everything: list[float] = field(default_factory=list)
    ingest: list[float] = field(default_factory=list)
    idle: list[float] = field(default_factory=list)
    extra: Counter[int] = field(default_factory=Counter)

    def add(self, sent: Sequence[SentRequest], idle: float, others: range) -> None:
        """Add a run, and stop if a request of the *others* was refused."""
        own = [each for each in sent if each.planned.customer in others]
        if refused := Counter(each.status for each in own if each.status != OK):
            sys.exit(f"requests of the others were refused, by status: {dict(refused)}")
        self.everything.append(_percentile([each.latency for each in own]))
        self.ingest.append(_percentile([each.latency for each in own if each.planned.kind == "ingest"]))
        self.idle.append(idle)
        self.extra.update(each.status for each in sent if each.planned.is_extra)


def measure(effort: Effort) -> Figure:
    """Measure with the functions in processes of their own, on the stack's servers."""
    organizations = effort.size(ORGANIZATIONS, FEWEST)
    well_behaved = effort.size(WELL_BEHAVED, FEWEST // 2)
    noisy = Mix(
        customers=organizations,
        seconds=effort.size(SECONDS, SMALLEST_SECONDS),
        rate=RATE,
        extra_rate=TIMES_LIMIT * LIMIT / SECONDS_PER_MINUTE,
        extra_customers=[NOISY],
    )
    calm = replace(noisy, extra_customers=range(1, 1 + well_behaved))
    with own_stores() as stores:
        customers = provision_customers(
            stores.databases, organizations, overrides={"ingest_requests_per_minute": LIMIT}
        )
        sides, accepted = asyncio.run(_alternate(stores, customers, noisy, calm, effort.rounds))
        counted = _check_counts(stores, customers, accepted)
    return _figure(noisy, sides, counted, well_behaved=well_behaved)


async def _alternate(
    stores: OwnStores, customers: Sequence[Customer], noisy: Mix, calm: Mix, rounds: int
) -> tuple[tuple[NeighbourRuns, NeighbourRuns], Counter[int]]:
    """Run both sides in turn, once a round, and return them with the accepted events of each customer."""
    sides = NeighbourRuns(), NeighbourRuns()
    others = range(1 + len(calm.extra_customers), len(customers))
    async with local_platform(stores.aws_url, PROCESSES) as platform:
        neighbours = Neighbours(platform=platform, customers=customers)
        await neighbours.send(one_of_each(len(customers)))  # starts the functions, and makes each customer known
        for number in range(rounds):
            pairs = list(zip(sides, (noisy, calm), strict=True))
            for side, mix in pairs if number % 2 == 0 else reversed(pairs):  # the first side may fill caches
                planned = mix.plan(seed=number)
                psutil.cpu_times_percent()
                sent = await neighbours.send(planned)
                side.add(sent, psutil.cpu_times_percent().idle, others)
        await platform.drain()
    if TOO_MANY not in sides[0].extra:
        sys.exit("the noisy organization was never refused")
    if set(sides[1].extra) != {OK}:
        sys.exit(f"extra requests within the limits were refused, by status: {dict(sides[1].extra)}")
    return sides, neighbours.accepted


def _check_counts(stores: OwnStores, customers: Sequence[Customer], accepted: Mapping[int, int]) -> int:
    """Stop unless stored rows, counted usage and accepted events agree for each organization. Return their sum."""
    databases = stores.databases
    rows: dict[UUID, int] = {row[0]: row[1] for row in databases.clickhouse.query(COUNT_ROWS).result_rows}
    with closing(Redis(lambda: stores.redis_url, timeout_seconds=REDIS_SECONDS)) as redis:
        done = roll_up(databases.platform, databases.clickhouse, redis, now=datetime.now(UTC))
    usage = {each.organization_id: each.events for each in done.usage}
    for number, customer in enumerate(customers):
        each = customer.organization_id
        counts = accepted[number], rows.get(each, 0), usage[each]
        if len(set(counts)) != 1:
            sys.exit(f"accepted, stored and counted events of organization {number} differ: {counts}")
    return sum(accepted.values())


def _figure(noisy: Mix, sides: tuple[NeighbourRuns, NeighbourRuns], counted: int, *, well_behaved: int) -> Figure:
    measured, reference = sides
    lines = {
        "others, all requests": (measured.everything, reference.everything),
        "others, ingest": (measured.ingest, reference.ingest),
    }
    refused, sent = measured.extra[TOO_MANY], measured.extra.total()
    note = (
        f"Of the {sent:,} extra requests of the noisy organization {refused:,} were refused (429), and no request of "
        f"another one. The processors were idle for {median(measured.idle):.0f} % of the time, in the reference for "
        f"{median(reference.idle):.0f} %. For each organization the accepted, the stored and the counted events are "
        f"equal: {counted:,} in all."
    )
    return Figure(
        name="noisy_neighbours",
        unit="milliseconds by the clock, 99th percentile, less is better",
        measured=f"requests of the other organizations, while one of {noisy.customers:,} sends {TIMES_LIMIT} times its "
        f"limit of {LIMIT} requests a minute. All send {noisy.rate:.0f} requests per second: events, usage and "
        "statistics. The functions run in processes of their own, each request waits for a free one, and no gateway "
        "throttles the noisy one before admission. Databases, functions and client share this machine.",
        reference=f"the same, while {well_behaved} other organizations within their limits send those extra requests",
        comparisons=[
            Comparison(what=what, measured=ours, reference=theirs, goals=[at_most(MOST_RATIO)])
            for what, (ours, theirs) in lines.items()
        ],
        notes=[note],
    )


def _percentile(latencies: Sequence[float]) -> float:
    """Return the 99th percentile in milliseconds: the nearest rank."""
    ordered = sorted(latencies)
    return MILLISECONDS * ordered[ceil(PERCENTILE * len(ordered)) - 1]
