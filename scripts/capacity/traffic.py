"""The traffic: arrivals with bursts, sizes of requests, and the shares of the organizations."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import accumulate
from types import MappingProxyType
from typing import Final

from tenancy.rules.tiers import MAX_REQUESTS_PER_MINUTE

SECONDS_PER_MINUTE: Final = 60
LARGEST_RATE: Final = MAX_REQUESTS_PER_MINUTE / SECONDS_PER_MINUTE  # requests per second of one organization
SIZES: Final[Mapping[int, float]] = MappingProxyType({1: 0.70, 20: 0.25, 100: 0.05})
CYCLE_SECONDS: Final = 30.0
BURST_STARTS, BURST_ENDS = 1 / 3, 1 / 2  # of a cycle


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """A load of *rate* requests per second in the mean.

    In each *cycle* of so many seconds there is one burst at *peak* times the rate. *sizes* has the share of requests
    with so many events.
    The organizations have shares as in Zipf's law, as far as their rate limit allows.
    """

    rate: float
    organizations: int = 10_000
    peak: float = 1.5
    cycle: float = CYCLE_SECONDS
    sizes: Mapping[int, float] = field(default_factory=lambda: SIZES)

    @property
    def events_per_request(self) -> float:
        """Return the mean number of events of a request."""
        return sum(size * share for size, share in self.sizes.items())

    @property
    def calm(self) -> float:
        """Return the share of the mean rate that arrives outside of bursts."""
        burst = BURST_ENDS - BURST_STARTS
        return (1 - self.peak * burst) / (1 - burst)

    def rate_at(self, seconds: float) -> float:
        """Return the rate at a time, without the chance."""
        is_burst = BURST_STARTS <= seconds / self.cycle % 1 < BURST_ENDS
        return self.rate * (self.peak if is_burst else self.calm)

    def slice(self, slices: int) -> "Traffic":
        """Return the traffic of one of so many equal parts, each with organizations of its own."""
        organizations = max(1, self.organizations // slices)
        return replace(self, rate=self.rate / slices, organizations=organizations)

    def shares(self) -> list[float]:
        """Return the share of each organization, the largest first: Zipf's law below the largest rate."""
        weights = [1 / rank for rank in range(1, self.organizations + 1)]
        largest = max(LARGEST_RATE / self.rate, 1 / self.organizations)
        shares = [0.0] * len(weights)
        free, rest = 1.0, sum(weights)
        for position, weight in enumerate(weights):
            shares[position] = min(largest, free * weight / rest)
            free -= shares[position]
            rest -= weight
        return shares


def arrivals(traffic: Traffic, chance: random.Random) -> Iterator[float]:
    """Yield the times of arrivals: a Poisson process whose rate has bursts (thinning of Lewis and Shedler)."""
    highest = traffic.rate * max(traffic.peak, traffic.calm)
    now = 0.0
    while True:
        now += chance.expovariate(highest)
        if chance.random() * highest <= traffic.rate_at(now):
            yield now


class Population:
    """Draws the organization and the size of a request."""

    def __init__(self, traffic: Traffic, chance: random.Random) -> None:
        """Keep the shares of *traffic* as sums."""
        self._chance = chance
        self.shares = traffic.shares()
        self._organizations = range(len(self.shares))
        self._sums = list(accumulate(self.shares))
        self._sizes = list(traffic.sizes)
        self._size_sums = list(accumulate(traffic.sizes.values()))

    def organization(self) -> int:
        """Return the organization of the next request."""
        return self._chance.choices(self._organizations, cum_weights=self._sums)[0]

    def size(self) -> int:
        """Return the number of events of the next request."""
        return self._chance.choices(self._sizes, cum_weights=self._size_sums)[0]
