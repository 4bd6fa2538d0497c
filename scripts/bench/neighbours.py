"""Mixed traffic of many organizations, of which one may be far over its rate limit."""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from scripts.bench.customers import Customer
from scripts.bench.events import make_body
from scripts.bench.local_platform import LocalPlatform, line_of

INGEST_SHARE, USAGE_SHARE = 0.88, 0.08  # of the requests; the rest read statistics
MOST_EVENTS: Final = 5  # of a request
OK, TOO_MANY = 200, 429

type RequestKind = Literal["ingest", "usage", "statistics"]
READS: Final[dict[RequestKind, str]] = {"usage": "usage/usage", "statistics": "usage/stats"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRequest:
    """A request of a run: when it is sent, by which customer, and whether it is one of the extra requests."""

    second: float
    customer: int
    kind: RequestKind
    is_extra: bool
    events: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SentRequest:
    """A planned request with its status, its latency in seconds, and the events that were accepted."""

    planned: PlannedRequest
    status: int
    latency: float
    accepted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """The traffic of a run: the usual requests of all customers, and extra ones of *extra_customers*."""

    customers: int
    seconds: float
    rate: float
    extra_rate: float
    extra_customers: Sequence[int]

    def plan(self, seed: int) -> list[PlannedRequest]:
        """Return the requests of a run. The usual ones depend on *seed* alone."""
        chance = random.Random(seed)  # noqa: S311 - repeatable
        usual = list(self._usual(chance))
        owners = self.extra_customers
        extra = [
            PlannedRequest(second=second, customer=owners[number % len(owners)], kind="ingest", is_extra=True, events=1)
            for number, second in enumerate(self._moments(self.extra_rate, chance))
        ]
        return sorted([*usual, *extra], key=lambda each: each.second)

    def _usual(self, chance: random.Random) -> Iterator[PlannedRequest]:
        for second in self._moments(self.rate, chance):
            drawn = chance.random()
            kind: RequestKind = "statistics" if drawn > INGEST_SHARE + USAGE_SHARE else "usage"
            kind = "ingest" if drawn < INGEST_SHARE else kind
            customer = chance.randrange(self.customers)
            events = chance.randint(1, MOST_EVENTS)
            yield PlannedRequest(second=second, customer=customer, kind=kind, is_extra=False, events=events)

    def _moments(self, rate: float, chance: random.Random) -> Iterator[float]:
        second = chance.expovariate(rate)
        while second < self.seconds:
            yield second
            second += chance.expovariate(rate)


def one_of_each(customers: int) -> list[PlannedRequest]:
    """Return a request of each kind from each customer, all at once."""
    kinds: tuple[RequestKind, ...] = ("ingest", *READS)
    return [
        PlannedRequest(second=0.0, customer=customer, kind=kind, is_extra=False, events=1)
        for customer in range(customers)
        for kind in kinds
    ]


@dataclass(slots=True, kw_only=True)
class Neighbours:
    """Sends the requests of *customers*, and counts the events that were accepted for each of them."""

    platform: LocalPlatform
    customers: Sequence[Customer]
    accepted: Counter[int] = field(default_factory=Counter)

    async def send(self, planned: Sequence[PlannedRequest]) -> list[SentRequest]:
        """Send each request at its time, and return all with their answers."""
        lines = [self._line(each) for each in planned]
        started = time.perf_counter()
        calls = []
        for each, line in zip(planned, lines, strict=True):
            await asyncio.sleep(max(0.0, started + each.second - time.perf_counter()))
            calls.append(asyncio.create_task(self._send(each, line)))
        return await asyncio.gather(*calls)

    def _line(self, planned: PlannedRequest) -> bytes:
        customer = self.customers[planned.customer]
        if planned.kind == "ingest":
            return line_of(customer.ingest(make_body(planned.events)))
        return line_of(customer.read(READS[planned.kind]))

    async def _send(self, planned: PlannedRequest, line: bytes) -> SentRequest:
        function = "ingest" if planned.kind == "ingest" else "usage"
        answer = await self.platform.functions[function].call(line)
        accepted = 0
        if planned.kind == "ingest" and answer.status == OK:
            accepted = int(json.loads(answer.body)["accepted"])
            self.accepted[planned.customer] += accepted
        return SentRequest(planned=planned, status=answer.status, latency=answer.latency, accepted=accepted)
