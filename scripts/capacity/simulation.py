"""Run the simulation of a load, and sum it up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, quantiles
from typing import Final

from scripts.capacity.known import AwsNumbers, ServiceTimes
from scripts.capacity.pipeline import Moment, Pipeline
from scripts.capacity.plan import Plan
from scripts.capacity.traffic import CYCLE_SECONDS, Traffic

WARM_UP_SECONDS: Final = 5.0
PERCENTILE: Final = 99


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedLoad:
    """The results of a simulation, of the whole platform. Rates are per second, times in seconds, shares of 1."""

    traffic: Traffic
    plan: Plan
    accepted: float
    events: float
    refused: Mapping[str, float]
    latency: float
    latency_p99: float
    ingest_mean: float
    ingest_most: int
    load_mean: float
    load_most: int
    environments: int
    cold_starts: float
    authorized: float
    transactions: float
    waiting_most: int
    in_flight_most: int
    age: float
    inserts: float
    rows: float
    valkey: float
    clickhouse: float
    moments: Sequence[Moment]

    @property
    def refused_share(self) -> float:
        """Return the share of the requests that were refused."""
        return sum(self.refused.values())


def simulate(
    traffic: Traffic, plan: Plan, aws: AwsNumbers, times: ServiceTimes, *, seconds: float = CYCLE_SECONDS, seed: int = 1
) -> SimulatedLoad:
    """Simulate one shard's share of the platform for *seconds* after a warm-up.

    The shares are equal parts with organizations of their own, so that one of them shows all.
    """
    slices = plan.shards
    pipeline = Pipeline(traffic, plan, aws, times, slices=slices, seed=seed)
    pipeline.run(warm_up=WARM_UP_SECONDS, seconds=seconds)
    counts, loaders = pipeline.counts, pipeline.loaders
    latencies = counts.latencies or [0.0, 0.0]
    per_second = slices / seconds
    return SimulatedLoad(
        traffic=traffic,
        plan=plan,
        accepted=counts.accepted * per_second,
        events=counts.events * per_second,
        refused={place: number / max(counts.arrived, 1) for place, number in counts.refused.items()},
        latency=fmean(latencies),
        latency_p99=quantiles(latencies, n=100)[PERCENTILE - 1],
        ingest_mean=pipeline.ingest.busy.mean * slices,
        ingest_most=pipeline.ingest.busy.maximum * slices,
        load_mean=loaders.busy.mean * slices,
        load_most=loaders.busy.maximum * slices,
        environments=(pipeline.ingest.existing + pipeline.authorizer.existing) * slices,
        cold_starts=counts.cold_starts * per_second,
        authorized=counts.authorized * per_second,
        transactions=counts.transactions * per_second,
        waiting_most=max(each.waiting for each in pipeline.moments),
        in_flight_most=loaders.in_flight.maximum * slices,
        age=loaders.ages / max(loaders.messages, 1),
        inserts=loaders.inserts * per_second,
        rows=loaders.rows * per_second,
        valkey=fmean(shard.utilization for shard in pipeline.shards),
        clickhouse=pipeline.clickhouse.utilization,
        moments=pipeline.moments,
    )
