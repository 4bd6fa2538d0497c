"""Limiter: accuracy and latency of the rate limit in several processes, beside limiters of other authors."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from statistics import quantiles
from typing import Final
from uuid import uuid4

from scripts.bench.databases import Servers, own_valkey
from scripts.bench.figure import Comparison, Effort, Figure, Goal, at_least, at_most
from scripts.bench.peers.limiters import Burst, Run, flexible_workers, limits_workers, our_workers

WORKERS: Final = (1, 4, 16)
SMALLEST_WORKERS: Final = 2  # the first ones of these
LIMIT: Final = 400
OVERLOAD: Final = 2  # requests for each one that the limit admits
EXACT: Final = (at_least(1.0, of="measured"), at_most(1.0, of="measured"))
OURS: Final = "ours"
LIMITERS: Final[Mapping[str, Callable[[str, int], AbstractContextManager[Run]]]] = {
    OURS: our_workers,
    "limits": limits_workers,
    "flexible": flexible_workers,
}

type Bursts = Mapping[str, Sequence[Burst]]


def measure(effort: Effort) -> Figure:
    """Measure with the stack's Valkey, in a database of its own."""
    limit = effort.size(LIMIT, smallest=max(WORKERS))
    with own_valkey(Servers.load().redis_url) as url:
        counts = WORKERS[: effort.size(len(WORKERS), SMALLEST_WORKERS)]
        comparisons = [each for count in counts for each in _compare(count, _run(url, count, limit, effort), limit)]
    return Figure(
        name="limiter",
        unit="admitted requests for each one of the limit, exactly 1; and milliseconds by the clock, less is better",
        measured=f"AdmissionGate.admit: {OVERLOAD * limit:,} requests with a limit of {limit:,} a minute, in 1, 4 "
        "and 16 processes, each with one connection to the stack's Valkey. Each request is also checked against "
        "credential, status and quotas.",
        reference="the same requests and limit: limits is the Python package of that name with a moving window, "
        "flexible is rate-limiter-flexible on Node",
        comparisons=comparisons,
    )


def _run(url: str, count: int, limit: int, effort: Effort) -> Bursts:
    """Return the bursts of each limiter with *count* workers, in turn."""
    with ExitStack() as workers:
        runs = {name: workers.enter_context(start(url, count)) for name, start in LIMITERS.items()}
        requests = OVERLOAD * limit // count
        for run in runs.values():  # the first burst compiles and connects
            run(str(uuid4()), limit, requests)
        bursts: dict[str, list[Burst]] = {name: [] for name in runs}
        for _ in range(effort.rounds):
            for name, run in runs.items():
                bursts[name].append(run(str(uuid4()), limit, requests))
    return bursts


def _compare(count: int, bursts: Bursts, limit: int) -> list[Comparison]:
    """Return the lines of *count* workers."""
    measures: list[tuple[str, Callable[[Burst], float], tuple[Goal, ...]]] = [
        ("admitted", lambda burst: burst.admitted / limit, EXACT),
        ("p50", lambda burst: quantiles(burst.milliseconds, n=100)[49], ()),
        ("p99", lambda burst: quantiles(burst.milliseconds, n=100)[98], ()),
    ]
    return [
        Comparison(
            what=f"{count:>2} workers, {what}, {name}",
            measured=[measure_burst(burst) for burst in bursts[OURS]],
            reference=[measure_burst(burst) for burst in bursts[name]],
            goals=goals if name == "limits" else (),
        )
        for what, measure_burst, goals in measures
        for name in LIMITERS
        if name != OURS
    ]
