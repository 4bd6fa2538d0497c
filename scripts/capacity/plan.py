"""The settings of a deployment that bound its load: those of the template, and those that a load needs."""

import math
from dataclasses import dataclass, replace
from typing import Any, Final

from scripts.capacity import ROOT
from scripts.capacity.known import AwsNumbers, ServiceTimes
from scripts.capacity.traffic import Traffic
from scripts.template import read_template

HEADROOM: Final = 1.25  # of a quota that is asked for, over the load's peak
MEGABYTES_PER_GIGABYTE: Final = 1_024
ROWS_OF_AN_INSERT: Final = 10_000  # the least that ClickHouse's advice calls ideal


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The settings of a deployment: throttles, concurrency, batches, shards and processors.

    *queues* event queues have a load function each. *load_concurrency* is that of all of them together.
    """

    method_rate: float
    gateway_rate: float
    concurrency: float
    ingest_megabytes: int
    authorizer_megabytes: int
    load_megabytes: int
    load_concurrency: float
    load_batch: int
    load_window: float
    queues: int
    shards: int
    clickhouse_processors: float


def deployed_plan(aws: AwsNumbers) -> Plan:
    """Return the template with its defaults, in an account with the default quotas.

    The databases are as small as they come: one shard of Valkey and ClickHouse with four processors.
    """
    template = read_template(ROOT / "template.yaml")
    resources = template["Resources"]
    queue = resources["Load"]["Properties"]["Events"]["Queue"]["Properties"]
    default = template["Globals"]["Function"]["MemorySize"]
    return Plan(
        method_rate=float(template["Parameters"]["EventRequestsPerSecond"]["Default"]),
        gateway_rate=aws.quotas["gateway_requests_per_second"],
        concurrency=aws.quotas["lambda_concurrency"],
        ingest_megabytes=_megabytes(resources["Ingest"], default),
        authorizer_megabytes=_megabytes(resources["Authorizer"], default),
        load_megabytes=_megabytes(resources["Load"], default),
        load_concurrency=float(queue["ScalingConfig"]["MaximumConcurrency"]),
        load_batch=queue["BatchSize"],
        load_window=float(queue["MaximumBatchingWindowInSeconds"]),
        queues=1,
        shards=1,
        clickhouse_processors=4,
    )


def _megabytes(function: dict[str, Any], default: int) -> int:
    return int(function["Properties"].get("MemorySize", default))


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """The seconds that one request, or one batch of messages, takes in each place of a plan."""

    authorizer: float
    authorizer_start: float
    ingest_before: float
    script: float
    ingest_after: float
    ingest_start: float
    postgres: float
    load: float
    insert: float
    batch_messages: float

    @property
    def ingest(self) -> float:
        """Return the duration of one call of ingest, without waiting."""
        return self.ingest_before + self.script + self.ingest_after


class CostModel:
    """Turns measured processor time into durations on AWS.

    A function has the share of a processor that its memory gives. The processor of the measurement stands for that of
    AWS. The network's times are assumptions of aws.toml.
    """

    def __init__(self, aws: AwsNumbers, times: ServiceTimes, plan: Plan) -> None:
        """Keep the numbers."""
        self._aws, self._times, self._plan = aws, times, plan
        self._assumed = aws.assumptions

    def authorizer(self) -> float:
        """Return the seconds of a call of the authorizer, which reads PostgreSQL."""
        return self._processor(self._times.authorizer, self._plan.authorizer_megabytes) + self.postgres()

    def authorizer_start(self) -> float:
        """Return the seconds of a cold start of the authorizer."""
        return (self._assumed["environment_milliseconds"] + self._times.authorizer_start) / 1_000

    def ingest_start(self) -> float:
        """Return the seconds of a cold start of ingest. Lambda starts functions with a whole processor."""
        return (self._assumed["environment_milliseconds"] + self._times.ingest_start) / 1_000

    def postgres(self) -> float:
        """Return the seconds of one transaction, as its caller sees it."""
        return self._assumed["postgres_round_trip_milliseconds"] / 1_000

    def ingest_before(self, events: float) -> float:
        """Return the seconds of ingest until Valkey has the script."""
        processor = self._processor(self._times.ingest.at(events), self._plan.ingest_megabytes)
        return processor + self._assumed["valkey_round_trip_milliseconds"] / 1_000

    def script(self) -> float:
        """Return the seconds of a shard's thread for one admission: the script, and its reads and writes."""
        return (self._times.script + self._assumed["valkey_io_milliseconds"]) / 1_000

    def ingest_after(self) -> float:
        """Return the seconds until SQS has stored the messages of a request."""
        return self._assumed["sqs_send_milliseconds"] / 1_000

    def load(self, messages: float) -> float:
        """Return the seconds of load for a batch, without the insert."""
        return self._processor(self._times.load.at(messages), self._plan.load_megabytes)

    def insert(self, rows: float) -> float:
        """Return the seconds of one processor of ClickHouse for an insert."""
        return self._times.insert.at(rows) / 1_000

    def message_bytes(self, events: float) -> float:
        """Return the bytes of a request's message with its attributes, as load receives it."""
        return self._times.message_bytes.at(events)

    def batch_messages(self, traffic: Traffic) -> float:
        """Return how many messages fit in one call of load, in the mean."""
        fitting = self._aws.quotas["lambda_payload_bytes"] / self.message_bytes(traffic.events_per_request)
        return min(self._plan.load_batch, fitting)

    def costs(self, traffic: Traffic) -> Costs:
        """Return the mean costs for *traffic*, with full batches."""
        messages = self.batch_messages(traffic)
        return Costs(
            authorizer=self.authorizer(),
            authorizer_start=self.authorizer_start(),
            ingest_before=self.ingest_before(traffic.events_per_request),
            script=self.script(),
            ingest_after=self.ingest_after(),
            ingest_start=self.ingest_start(),
            postgres=self.postgres(),
            load=self.load(messages),
            insert=self.insert(messages * traffic.events_per_request),
            batch_messages=messages,
        )

    def _processor(self, milliseconds: float, megabytes: int) -> float:
        share = min(1.0, megabytes / self._aws.quotas["lambda_megabytes_of_a_processor"])
        return milliseconds / 1_000 / share


def planned_for(traffic: Traffic, aws: AwsNumbers, times: ServiceTimes) -> Plan:
    """Return the smallest plan that holds the peak of *traffic*, with some headroom in quotas.

    Larger batches come first, because they cost nothing: a call of load then inserts about 10,000 rows.
    """
    deployed = deployed_plan(aws)
    peak = traffic.rate * traffic.peak
    wanted = math.ceil(ROWS_OF_AN_INSERT / traffic.events_per_request)
    plan = replace(deployed, load_batch=max(deployed.load_batch, wanted))
    costs = CostModel(aws, times, plan).costs(traffic)
    calls = peak / costs.batch_messages
    in_flight = peak * (plan.load_window + costs.load + costs.insert)
    processors = calls * costs.insert / aws.assumptions["clickhouse_utilization"]
    calls_per_second = aws.quotas["lambda_requests_per_second_of_an_environment"]
    concurrency = max(peak / calls_per_second, peak * costs.ingest)
    loads = calls * (plan.load_window + costs.load + costs.insert)
    return replace(
        plan,
        method_rate=max(plan.method_rate, HEADROOM * peak),
        gateway_rate=max(plan.gateway_rate, HEADROOM * peak),
        concurrency=max(plan.concurrency, math.ceil(HEADROOM * concurrency + loads)),
        load_concurrency=max(plan.load_concurrency, math.ceil(HEADROOM * loads)),
        queues=math.ceil(HEADROOM * in_flight / aws.quotas["sqs_in_flight"]),
        shards=math.ceil(peak * costs.script / aws.assumptions["valkey_utilization"]),
        clickhouse_processors=max(plan.clickhouse_processors, math.ceil(processors)),
    )
