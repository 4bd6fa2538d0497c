"""Compare the simulation with the functions on the local stack, at a load that the simulation was not fitted to.

Ingest runs in two processes, load with its poller in one. A client sends requests at random times, with a burst. The
simulation has the service times of the lowest and the highest load, by size and by the number of busy processes. It
predicts the load between them for the same arrivals, and the throughput if requests always wait. The waiting time alone
is shown, and not judged: it is a small part of the latency.
"""

import asyncio
import random
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, takewhile
from statistics import fmean, linear_regression, median
from typing import Final

from simpy import Environment
from simpy.events import ProcessGenerator

from scripts.bench.customers import Customer, own_stores, provision_customers
from scripts.bench.events import make_body
from scripts.bench.local_platform import LoadedBatch, LocalAnswer, LocalPlatform, line_of, local_platform
from scripts.capacity.loaders import LoaderRules, Loaders, QueuedMessage
from scripts.capacity.stations import Station
from scripts.capacity.traffic import SIZES, Population, Traffic, arrivals
from tenancy.rules.tiers import MAX_REQUESTS_PER_MINUTE

PROCESSES: Final = 2
CUSTOMERS: Final = 20
CLIENTS: Final = 6  # of the saturated run
SHARES: Final = {"lowest": 0.2, "held out": 0.35, "highest": 0.5}  # of the saturated throughput
FITTED: Final = ("lowest", "highest")
ROUNDS, SECONDS = 8, 6.0
SEND_SECONDS: Final = 0.025  # so that processes wait, as on Lambda, instead of competing for two processors
BODIES: Final = 12  # of each size, used in turn
TOLERANCE: Final = 0.2
SATURATED: Final = "saturated, requests/s"
JUDGED: Final = ("requests/s", "latency, ms", "until stored, ms", SATURATED)
STORED_SECONDS: Final = 60.0
POLL_SECONDS: Final = 0.1
WINDOW_SECONDS, BATCH_MESSAGES = 2.0, 100
PAYLOAD_BYTES: Final = 6 * 1_024 * 1_024


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A request of a run: when it arrives, and its number of events."""

    second: float
    events: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationRun:
    """A run on the local stack: its arrivals with their answers, and the batches that load inserted."""

    arrivals: Sequence[Arrival]
    answers: Sequence[LocalAnswer]
    batches: Sequence[LoadedBatch]
    seconds: float

    def results(self) -> Mapping[str, float]:
        """Return the numbers that the simulation predicts."""
        messages = sum(batch.messages for batch in self.batches)
        return {
            "requests/s": len(self.answers) / self.seconds,
            "latency, ms": 1_000 * fmean(each.latency for each in self.answers),
            "waiting, ms": 1_000 * fmean(each.waited for each in self.answers),
            "until stored, ms": 1_000 * sum(batch.ages for batch in self.batches) / max(messages, 1),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """One line of the table: the predictions and the measurements of the rounds."""

    name: str
    is_judged: bool
    predicted: Sequence[float]
    measured: Sequence[float]

    @property
    def ratio(self) -> float:
        """Return the median of the rounds' ratios."""
        return median(one / max(other, 1e-9) for one, other in zip(self.predicted, self.measured, strict=True))

    @property
    def is_met(self) -> bool:
        """Return whether the prediction is within the tolerance."""
        return abs(self.ratio - 1) <= TOLERANCE


def validate(*, is_smallest: bool = False) -> list[Prediction]:
    """Run the loads in turn, and predict the one that is held out from the others."""
    rounds = 1 if is_smallest else ROUNDS
    seconds = 1.0 if is_smallest else SECONDS
    with own_stores(send_seconds=SEND_SECONDS) as stores:
        customers = provision_customers(
            stores.databases, CUSTOMERS, overrides={"ingest_requests_per_minute": MAX_REQUESTS_PER_MINUTE}
        )
        return asyncio.run(_validate(stores.aws_url, _lines(customers), rounds, seconds))


def show_validation(predictions: Sequence[Prediction]) -> bool:
    """Print *predictions*, and return whether all judged ones are within the tolerance."""
    print(f"\n  {'':<32}  {'predicted':>10}  {'measured':>10}  {'ratio':>6}")
    for each in predictions:
        verdict = ("within 20 %" if each.is_met else "NOT within 20 %") if each.is_judged else "not judged"
        values = f"{median(each.predicted):>10.3g}  {median(each.measured):>10.3g}  {each.ratio:>6.2f}"
        print(f"  {each.name:<32}  {values}  {verdict}")
    return all(each.is_met for each in predictions if each.is_judged)


def _lines(customers: Sequence[Customer]) -> dict[int, list[bytes]]:
    """Return requests of each size."""
    owners = cycle(customers)
    return {size: [line_of(next(owners).ingest(make_body(size))) for _ in range(BODIES)] for size in SIZES}


async def _validate(
    aws_url: str, lines: Mapping[int, Sequence[bytes]], rounds: int, seconds: float
) -> list[Prediction]:
    """Run all loads in each round, in another order each time, and predict from the runs of the same round.

    So a slow moment of the machine meets all loads of a round alike.
    """
    predicted: dict[str, list[float]] = defaultdict(list)
    measured: dict[str, list[float]] = defaultdict(list)
    async with local_platform(aws_url, {"ingest": PROCESSES}) as platform:
        await _saturate(platform, lines, seconds)  # warms up
        most = await _saturate(platform, lines, seconds)
        for number in range(rounds):
            runs = {}
            for name in (*SHARES, *SHARES)[number % len(SHARES) :][: len(SHARES)]:
                traffic = Traffic(rate=SHARES[name] * most, organizations=1, cycle=2 * seconds)
                runs[name] = await _run(platform, lines, traffic, seconds, seed=number)
            model = FittedModel([runs[name] for name in FITTED])
            results = {**model.predict(runs["held out"]), SATURATED: model.saturated()}
            truth = {**runs["held out"].results(), SATURATED: await _saturate(platform, lines, seconds / 3)}
            for name, value in results.items():
                predicted[name].append(value)
                measured[name].append(truth[name])
        await platform.drain()
    return [
        Prediction(name=name, is_judged=name in JUDGED, predicted=values, measured=measured[name])
        for name, values in predicted.items()
    ]


async def _saturate(platform: LocalPlatform, lines: Mapping[int, Sequence[bytes]], seconds: float) -> float:
    """Return the answers per second while all processes always have a request."""
    sizes = Population(Traffic(rate=1, organizations=1), random.Random(1))  # noqa: S311 - repeatable
    platform.loaded.clear()
    ends_at = time.perf_counter() + seconds
    answered = 0

    async def send() -> None:
        nonlocal answered
        while time.perf_counter() < ends_at:
            await _call(platform, lines[sizes.size()][answered % BODIES])
            answered += 1

    started = time.perf_counter()
    await asyncio.gather(*(send() for _ in range(CLIENTS)))
    throughput = answered / (time.perf_counter() - started)
    await _until_stored(platform, answered)
    return throughput


async def _run(
    platform: LocalPlatform, lines: Mapping[int, Sequence[bytes]], traffic: Traffic, seconds: float, *, seed: int
) -> ValidationRun:
    chance = random.Random(seed)  # noqa: S311 - repeatable
    population = Population(traffic, chance)
    moments = takewhile(lambda moment: moment < seconds, arrivals(traffic, chance))
    planned = [Arrival(second=moment, events=population.size()) for moment in moments]
    platform.loaded.clear()
    started = time.perf_counter()
    calls = []
    for number, arrival in enumerate(planned):
        await asyncio.sleep(max(0.0, started + arrival.second - time.perf_counter()))
        calls.append(asyncio.create_task(_call(platform, lines[arrival.events][number % BODIES])))
    answers = await asyncio.gather(*calls)
    spent = time.perf_counter() - started
    await _until_stored(platform, len(answers))
    return ValidationRun(arrivals=planned, answers=answers, batches=list(platform.loaded), seconds=spent)


async def _call(platform: LocalPlatform, line: bytes) -> LocalAnswer:
    answer = await platform.functions["ingest"].call(line)
    if answer.status != 200:  # noqa: PLR2004 - HTTP's OK
        sys.exit(f"ingest answered {answer.status}: {answer.body}")
    return answer


async def _until_stored(platform: LocalPlatform, messages: int) -> None:
    """Wait until load has inserted so many *messages* since the run began."""
    deadline = time.perf_counter() + STORED_SECONDS
    while (stored := sum(batch.messages for batch in platform.loaded)) < messages:
        if time.perf_counter() > deadline:
            sys.exit(f"load has inserted {stored} of {messages} messages")
        await asyncio.sleep(POLL_SECONDS)


class FittedModel:
    """The stations of the local stack, with the service times of *runs*."""

    def __init__(self, runs: Sequence[ValidationRun]) -> None:
        """Keep the measured times by size and number of busy processes, and the line of load's batches."""
        self._chance = random.Random(1)  # noqa: S311 - repeatable
        self._times: dict[tuple[int, int], list[float]] = defaultdict(list)
        for run in runs:
            for arrival, answer in zip(run.arrivals, run.answers, strict=True):
                self._times[arrival.events, answer.busy].append(answer.seconds)
        batches = [batch for run in runs for batch in run.batches]
        sizes, seconds = [batch.messages for batch in batches], [batch.seconds for batch in batches]
        self._slope, self._base = (
            linear_regression(sizes, seconds) if len(set(sizes)) > 1 else (0.0, fmean(seconds or [0.0]))
        )

    def load(self, messages: float) -> float:
        """Return the seconds of load for a batch, with its insert."""
        return max(0.0, self._base + self._slope * messages)

    def insert(self, rows: float) -> float:
        """Return 0: the seconds of load have the insert of the *rows*."""
        del rows
        return 0.0

    def ingest(self, events: int, busy: int) -> float:
        """Return one of the measured times of such a request."""
        times = self._times.get((events, busy)) or [
            second for (size, _), seconds in self._times.items() for second in seconds if size == events
        ]
        return self._chance.choice(times or [second for seconds in self._times.values() for second in seconds])

    def predict(self, run: ValidationRun) -> Mapping[str, float]:
        """Simulate the arrivals of *run*."""
        env = Environment()
        station = Station(env, PROCESSES)
        rules = LoaderRules(
            first=1,
            limit=1,
            more_per_minute=0,
            batch=BATCH_MESSAGES,
            payload=PAYLOAD_BYTES,
            window=WINDOW_SECONDS,
            in_flight=float("inf"),
        )
        loaders = Loaders(env, rules, Station(env), self)
        ended = [0.0]

        def request(arrival: Arrival) -> ProcessGenerator:
            yield env.timeout(arrival.second)
            yield from station.serve(lambda busy: self.ingest(arrival.events, busy))
            loaders.queue.append(QueuedMessage(env.now, arrival.events, 0.0))
            ended[0] = env.now

        for arrival in run.arrivals:
            env.process(request(arrival))
        env.run(until=run.arrivals[-1].second + 60 if run.arrivals else 1)
        return {
            "requests/s": station.served / max(ended[0], 1e-9),
            "latency, ms": 1_000 * station.stayed / max(station.served, 1),
            "waiting, ms": 1_000 * station.mean_wait,
            "until stored, ms": 1_000 * loaders.ages / max(loaders.messages, 1),
        }

    def saturated(self) -> float:
        """Return the requests per second if all processes are always busy."""
        mean = sum(share * fmean(self.ingest(size, PROCESSES) for _ in range(1_000)) for size, share in SIZES.items())
        return PROCESSES / mean
