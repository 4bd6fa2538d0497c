"""Stations against closed forms: waiting times, Little's law, and token buckets."""

import random
from collections.abc import Callable
from math import factorial, sqrt
from statistics import fmean, stdev

import pytest
from simpy import Environment
from simpy.events import ProcessGenerator

from scripts.capacity.stations import Station, TokenBucket

RUNS, WARM_UP, SECONDS = 10, 200.0, 3_000.0
BOUND = 3.0  # standard errors of the mean of all runs

type Service = Callable[[random.Random], float]


def run(rate: float, service: Service, *, servers: float, seed: int) -> tuple[Station, float]:
    """Return a station after some time of Poisson arrivals, and the rate at which customers arrived."""
    env, chance = Environment(), random.Random(seed)
    station = Station(env, servers)
    arrived = [0]

    def arrive() -> ProcessGenerator:
        while True:
            yield env.timeout(chance.expovariate(rate))
            arrived[0] += 1
            env.process(station.serve(service(chance)))

    env.process(arrive())
    env.run(until=WARM_UP)
    station.restart()
    before = arrived[0]
    env.run(until=WARM_UP + SECONDS)
    return station, (arrived[0] - before) / SECONDS


def waits(rate: float, service: Service, *, servers: float = 1) -> tuple[float, float]:
    """Return the mean wait over all runs, and its standard error."""
    means = [run(rate, service, servers=servers, seed=seed)[0].mean_wait for seed in range(RUNS)]
    return fmean(means), stdev(means) / sqrt(RUNS)


def exponential(rate: float) -> Service:
    return lambda chance: chance.expovariate(rate)


def erlang_c(load: float, servers: int) -> float:
    """Return the share of customers that wait in M/M/c (Erlang's formula C)."""
    last = load**servers / factorial(servers) * servers / (servers - load)
    return last / (sum(load**each / factorial(each) for each in range(servers)) + last)


def test_wait_of_one_server_is_that_of_m_m_1() -> None:
    load = 0.6

    mean, error = waits(load, exponential(1.0))

    assert abs(mean - load / (1 - load)) < BOUND * error


def test_wait_of_constant_service_is_that_of_m_d_1() -> None:
    load = 0.6

    mean, error = waits(load, lambda _: 1.0)

    assert abs(mean - load / (2 * (1 - load))) < BOUND * error


@pytest.mark.parametrize("servers", [2, 5])
def test_wait_of_several_servers_is_that_of_m_m_c(servers: int) -> None:
    load = 0.7 * servers

    mean, error = waits(load, exponential(1.0), servers=servers)

    assert abs(mean - erlang_c(load, servers) / (servers - load)) < BOUND * error


def test_half_a_server_works_half_as_fast() -> None:
    load = 0.6

    mean, error = waits(load / 2, exponential(1.0), servers=0.5)

    assert abs(mean - 2 * load / (1 - load)) < BOUND * error


@pytest.mark.parametrize("servers", [1, 3])
def test_number_inside_is_rate_times_stay(servers: int) -> None:
    station, rate = run(0.7 * servers, exponential(1.0), servers=servers, seed=1)

    assert station.inside.mean == pytest.approx(rate * station.stayed / station.served, rel=0.02)


def test_busy_share_is_rate_times_service() -> None:
    station, rate = run(1.4, lambda _: 1.0, servers=2, seed=1)

    assert station.utilization == pytest.approx(rate / 2, rel=0.01)


def test_bucket_gives_its_size_and_then_its_rate() -> None:
    env = Environment()
    bucket = TokenBucket(env, rate=10, size=5)

    at_once = sum(bucket.take() for _ in range(100))
    env.run(until=0.3)
    later = sum(bucket.take() for _ in range(100))

    assert (at_once, later) == (5, 3)


def test_bucket_keeps_no_more_than_its_size() -> None:
    env = Environment()
    bucket = TokenBucket(env, rate=10, size=5)

    env.run(until=60)

    assert sum(bucket.take() for _ in range(100)) == 5
