"""Traffic: arrivals with bursts, and the shares of organizations."""

import random
from itertools import pairwise, takewhile

import pytest

from scripts.capacity.traffic import CYCLE_SECONDS, LARGEST_RATE, Population, Traffic, arrivals

TRAFFIC = Traffic(rate=500, organizations=50)


def arrivals_until(seconds: float) -> list[float]:
    return list(takewhile(lambda moment: moment < seconds, arrivals(TRAFFIC, random.Random(1))))


def test_mean_rate_is_that_of_the_load() -> None:
    moments = arrivals_until(4 * CYCLE_SECONDS)

    assert len(moments) / (4 * CYCLE_SECONDS) == pytest.approx(TRAFFIC.rate, rel=0.02)


def test_burst_has_the_rate_of_the_peak() -> None:
    moments = arrivals_until(CYCLE_SECONDS)

    in_burst = sum(10 <= moment < 15 for moment in moments)

    assert in_burst / 5 == pytest.approx(TRAFFIC.peak * TRAFFIC.rate, rel=0.05)


def test_gaps_vary_as_in_a_poisson_process() -> None:
    moments = [moment for moment in arrivals_until(10.0) if moment < 10]
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    mean = sum(gaps) / len(gaps)

    variance = sum((gap - mean) ** 2 for gap in gaps) / len(gaps)

    assert variance / mean**2 == pytest.approx(1, rel=0.1)


@pytest.mark.parametrize("rate", [100.0, 10_000.0, 200_000.0])
def test_shares_sum_to_one_below_the_largest_rate(rate: float) -> None:
    traffic = Traffic(rate=rate, organizations=1_000)

    shares = traffic.shares()

    assert sum(shares) == pytest.approx(1)
    assert max(shares) * rate <= LARGEST_RATE + 1e-9
    assert shares == sorted(shares, reverse=True)


def test_sizes_have_their_shares() -> None:
    population = Population(TRAFFIC, random.Random(1))

    sizes = [population.size() for _ in range(20_000)]

    assert sum(sizes) / len(sizes) == pytest.approx(TRAFFIC.events_per_request, rel=0.05)
    assert set(sizes) == set(TRAFFIC.sizes)


def test_slices_share_the_load() -> None:
    part = TRAFFIC.slice(5)

    assert (part.rate, part.organizations) == (100, 10)
