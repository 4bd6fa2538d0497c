"""The report: for each load the plan, the simulated numbers, the costs, and which limit breaks first."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from scripts.capacity.costs import cost_million_events, cost_month
from scripts.capacity.known import AwsNumbers, ServiceTimes
from scripts.capacity.limits import CapacityLimit, list_limits
from scripts.capacity.plan import CostModel, deployed_plan, planned_for
from scripts.capacity.simulation import SimulatedLoad, simulate
from scripts.capacity.traffic import Traffic

LOADS: Final = (1_000.0, 10_000.0, 200_000.0)
MILLISECONDS: Final = 1_000
PERCENT: Final = 100
SHOWN_LIMITS: Final = 2
LEAST_WHOLE: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityReport:
    """The simulated loads with their costs by service, and the limits of the template with its defaults."""

    loads: Sequence[SimulatedLoad]
    dollars: Sequence[Mapping[str, float]]
    deployed: Sequence[CapacityLimit]
    planned: Sequence[Sequence[CapacityLimit]]


def make_report(loads: Sequence[Traffic], aws: AwsNumbers, times: ServiceTimes) -> CapacityReport:
    """Simulate each of *loads* with the plan that it needs."""
    simulated, dollars, planned = [], [], []
    for traffic in loads:
        plan = planned_for(traffic, aws, times)
        load = simulate(traffic, plan, aws, times)
        simulated.append(load)
        dollars.append(cost_month(load, aws, CostModel(aws, times, plan)))
        planned.append(list_limits(traffic, plan, aws, times))
    deployed = list_limits(loads[0], deployed_plan(aws), aws, times)
    return CapacityReport(loads=simulated, dollars=dollars, deployed=deployed, planned=planned)


def write_report(report: CapacityReport) -> str:
    """Return *report* as tables of plain text, in lines of at most 120 characters."""
    columns = [f"{load.traffic.rate:,.0f}/s" for load in report.loads]
    parts = [
        "Limits of the template with its defaults in requests/s. The first one breaks first",
        *_limits(report),
        "The plan that each load needs",
        *_table(columns, _rows(report, PLAN)),
        "Simulated, with a burst of 1.5 times the load. Numbers without a unit are per second or at once",
        *_table(columns, _rows(report, SHOWN)),
        "Dollars a month",
        *_table(columns, _dollars(report)),
        "Limits of each plan in requests/s. The first one breaks first",
        *_first_limits(report, columns),
    ]
    return "\n".join(line if line.startswith("  ") else f"\n{line}" for line in parts).strip("\n")


type _Row = tuple[str, Sequence[str]]

PLAN: Final[Mapping[str, Callable[[SimulatedLoad], float]]] = {
    "quota of requests, API Gateway": lambda load: load.plan.gateway_rate,
    "quota of concurrency, Lambda": lambda load: load.plan.concurrency,
    "BatchSize of Load": lambda load: load.plan.load_batch,
    "MaximumConcurrency of Load": lambda load: load.plan.load_concurrency,
    "event queues": lambda load: load.plan.queues,
    "shards of Valkey": lambda load: load.plan.shards,
    "processors of ClickHouse": lambda load: load.plan.clickhouse_processors,
}
SHOWN: Final[Mapping[str, Callable[[SimulatedLoad], float]]] = {
    "accepted requests": lambda load: load.accepted,
    "accepted events": lambda load: load.events,
    "refused by API Gateway, %": lambda load: PERCENT * load.refused.get("API Gateway", 0.0),
    "refused by Lambda, %": lambda load: PERCENT * (load.refused_share - load.refused.get("API Gateway", 0.0)),
    "latency, mean, ms": lambda load: MILLISECONDS * load.latency,
    "latency, p99, ms": lambda load: MILLISECONDS * load.latency_p99,
    "concurrency of ingest, mean": lambda load: load.ingest_mean,
    "concurrency of ingest, most": lambda load: load.ingest_most,
    "concurrency of load, most": lambda load: load.load_most,
    "environments = clients of PostgreSQL": lambda load: load.environments,
    "authorizer calls": lambda load: load.authorized,
    "PostgreSQL transactions": lambda load: load.transactions,
    "messages waiting, most": lambda load: load.waiting_most,
    "messages in flight, most": lambda load: load.in_flight_most,
    "from SQS to ClickHouse, mean, s": lambda load: load.age,
    "ClickHouse inserts": lambda load: load.inserts,
    "ClickHouse rows of an insert": lambda load: load.rows / max(load.inserts, 1e-9),
    "Valkey shard busy, %": lambda load: PERCENT * load.valkey,
    "ClickHouse busy, %": lambda load: PERCENT * load.clickhouse,
}


def _rows(report: CapacityReport, values: Mapping[str, Callable[[SimulatedLoad], float]]) -> list[_Row]:
    return [(name, [_number(value(load)) for load in report.loads]) for name, value in values.items()]


def _limits(report: CapacityReport) -> list[str]:
    width = max(len(each.name) for each in report.deployed)
    return [f"  {each.name:<{width}}  {_number(each.rate):>8}  then: {each.change}" for each in report.deployed]


def _first_limits(report: CapacityReport, columns: Sequence[str]) -> list[str]:
    return [
        f"  {column:<10}" + ", ".join(f"{limit.name}: {_number(limit.rate)}" for limit in limits[:SHOWN_LIMITS])
        for column, limits in zip(columns, report.planned, strict=True)
    ]


def _dollars(report: CapacityReport) -> list[_Row]:
    rows = [(name, [_number(each[name]) for each in report.dollars]) for name in report.dollars[0]]
    million = [
        f"{cost_million_events(load, dollars):.2f}" for load, dollars in zip(report.loads, report.dollars, strict=True)
    ]
    return [
        *rows,
        ("total", [_number(sum(each.values())) for each in report.dollars]),
        ("of a million events", million),
    ]


def _table(columns: Sequence[str], rows: Sequence[_Row]) -> list[str]:
    width = max(len(name) for name, _ in rows)
    return [f"  {name:<{width}}" + "".join(f"{cell:>12}" for cell in cells) for name, cells in (("", columns), *rows)]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= LEAST_WHOLE or value == int(value) else f"{value:.2g}"
