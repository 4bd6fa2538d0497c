"""The limits of a plan, each as the load that reaches it. The smallest one breaks first."""

from dataclasses import dataclass

from scripts.capacity.known import AwsNumbers, ServiceTimes
from scripts.capacity.plan import CostModel, Plan
from scripts.capacity.traffic import Traffic


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityLimit:
    """A limit: its *name*, the load in requests per second that reaches it, and the change that lifts it."""

    name: str
    rate: float
    change: str


def list_limits(traffic: Traffic, plan: Plan, aws: AwsNumbers, times: ServiceTimes) -> list[CapacityLimit]:
    """Return the limits of *plan* for requests as those of *traffic*, the first to break first.

    *rate* is a load without bursts. A burst reaches the limit at a mean load that is so much smaller.
    """
    costs = CostModel(aws, times, plan).costs(traffic)
    calls_per_second = aws.quotas["lambda_requests_per_second_of_an_environment"]
    batch = costs.load + costs.insert
    processors = plan.clickhouse_processors * aws.assumptions["clickhouse_utilization"]
    in_flight = plan.queues * aws.quotas["sqs_in_flight"]
    limits = {
        "throttle of POST /v1/events": (plan.method_rate, "parameter EventRequestsPerSecond"),
        "API Gateway, requests of the account": (plan.gateway_rate, "quota; then more accounts"),
        "Lambda, requests per second": (plan.concurrency * calls_per_second, "quota of concurrency"),
        "Lambda, concurrency of ingest": (plan.concurrency / costs.ingest, "quota of concurrency"),
        "Valkey, one thread of a shard": (
            plan.shards * aws.assumptions["valkey_utilization"] / costs.script,
            "more shards",
        ),
        "load, calls at once": (
            plan.load_concurrency * costs.batch_messages / batch,
            "MaximumConcurrency and BatchSize of Load",
        ),
        "SQS, messages in flight": (in_flight / (plan.load_window + batch), "more queues, or a shorter window"),
        "ClickHouse, processors": (
            processors * costs.batch_messages / costs.insert,
            "more processors, then shards by organization",
        ),
    }
    listed = [CapacityLimit(name=name, rate=rate, change=change) for name, (rate, change) in limits.items()]
    return sorted(listed, key=lambda each: each.rate)
