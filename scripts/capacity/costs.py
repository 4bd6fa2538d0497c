"""The costs of a load in a month, by service."""

import math
from collections.abc import Mapping
from typing import Final

from scripts.capacity.known import AwsNumbers
from scripts.capacity.plan import MEGABYTES_PER_GIGABYTE, CostModel
from scripts.capacity.simulation import SimulatedLoad

HOURS_PER_MONTH: Final = 730
SECONDS_PER_MONTH: Final = HOURS_PER_MONTH * 3_600
CHUNK_BYTES: Final = 64 * 1_024  # SQS counts each started chunk of a call as a request
NODES_OF_A_SHARD: Final = 2
BYTES_PER_GIGABYTE: Final = 1e9


def cost_month(load: SimulatedLoad, aws: AwsNumbers, model: CostModel) -> Mapping[str, float]:
    """Return the dollars of a month at *load*, by service. Refused requests cost nothing here."""
    accepted = load.accepted * SECONDS_PER_MONTH
    authorized = load.authorized * SECONDS_PER_MONTH
    inserts = load.inserts * SECONDS_PER_MONTH
    assumed = aws.assumptions
    logged = (accepted + authorized) * assumed["log_bytes_of_a_request"] / BYTES_PER_GIGABYTE
    return {
        "API Gateway": aws.cost("gateway_request", accepted),
        "Lambda": _cost_of_lambda(load, aws, model, accepted, authorized, inserts),
        "SQS": aws.cost("sqs_request", _sqs_calls(load, aws, model, accepted)),
        "CloudWatch Logs": aws.cost("log_gigabyte", logged),
        "X-Ray": aws.cost("xray_trace", accepted * aws.quotas["xray_share"]),
        "Valkey": load.plan.shards * NODES_OF_A_SHARD * assumed["valkey_node_hour"] * HOURS_PER_MONTH,
        "PostgreSQL": assumed["postgres_hour"] * HOURS_PER_MONTH,
        "ClickHouse": aws.cost("clickhouse_processor_month", load.plan.clickhouse_processors),
    }


def cost_million_events(load: SimulatedLoad, dollars: Mapping[str, float]) -> float:
    """Return the dollars of a million events."""
    return sum(dollars.values()) / max(load.events * SECONDS_PER_MONTH / 1e6, 1e-9)


def _cost_of_lambda(
    load: SimulatedLoad, aws: AwsNumbers, model: CostModel, accepted: float, authorized: float, inserts: float
) -> float:
    costs, plan = model.costs(load.traffic), load.plan
    gigabyte_seconds = (
        load.ingest_mean * SECONDS_PER_MONTH * plan.ingest_megabytes
        + load.load_mean * SECONDS_PER_MONTH * plan.load_megabytes
        + authorized * costs.authorizer * plan.authorizer_megabytes
    ) / MEGABYTES_PER_GIGABYTE
    calls = accepted + authorized + inserts
    return aws.cost("lambda_request", calls) + aws.cost("lambda_gigabyte_second", gigabyte_seconds)


def _sqs_calls(load: SimulatedLoad, aws: AwsNumbers, model: CostModel, messages: float) -> float:
    """Return the billed calls: one send a message, and receives and deletes of ten."""
    per_receive = aws.quotas["sqs_messages_of_a_receive"]
    size = model.message_bytes(load.traffic.events_per_request)
    chunks = math.ceil(per_receive * size / CHUNK_BYTES)
    return messages + messages / per_receive * (chunks + 1)
