"""Metrics as log lines in CloudWatch's embedded metric format.

Alarms in template.yaml watch them.
"""

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Final

import msgspec

from tenancy.settings import find_stack_name

NAMESPACE: Final = "Tenancy"
SERVICE: Final = "tenancy"
SERVICE_DIMENSION: Final = "service"
STACK_DIMENSION: Final = "stack"
CAUSE_DIMENSION: Final = "cause"
SEGMENT_CALLS_REJECTED: Final = "SegmentCallsRejected"
STANDING_NOT_PUBLISHED: Final = "StandingNotPublished"
AUTHORIZER_FAULT: Final = "AuthorizerFault"
CREDENTIAL_REFUSED: Final = "CredentialRefused"
EVENTS_ACCEPTED: Final = "EventsAccepted"
EVENTS_HELD: Final = "EventsHeld"
EVENTS_REJECTED: Final = "EventsRejected"
EVENTS_STORED: Final = "EventsStored"
STORAGE_LAG: Final = "StorageLag"
REQUESTS_REFUSED: Final = "RequestsRefused"
EVENTS_NOT_LOADED: Final = "EventsNotLoaded"
RECORDS_NOT_WRITTEN: Final = "RecordsNotWritten"
LOG_INS_NOT_COUNTED: Final = "LogInsNotCounted"
LOG_INS_REFUSED: Final = "LogInsRefused"
KEY_SET_REFUSED: Final = "KeySetRefused"
DEAD_LETTERS: Final = "DeadLetters"
AUDIT_DEAD_LETTERS: Final = "AuditDeadLetters"
DEAD_LETTERS_NOT_DRAINED: Final = "DeadLettersNotDrained"
REQUESTS_NOT_PERSISTED: Final = "RequestsNotKept"
DELETIONS_OVERDUE: Final = "DeletionsOverdue"
DELETIONS_NOT_CHECKED: Final = "DeletionsNotChecked"
EFFECTS_PARKED: Final = "EffectsParked"
PLATFORM_KEYS_DUE: Final = "PlatformKeysDue"
OLDEST_EFFECT_SECONDS: Final = "OldestEffectSeconds"
ROWS_CAME_BACK: Final = "RowsCameBack"
TOMBSTONES_RESTORED: Final = "GatesClosedAgain"
COUNTER_DRIFT: Final = "CounterDrift"
STATISTICS_DRIFT: Final = "StatisticsDrift"
REPLICA_FALLBACKS: Final = "ReplicaFallbacks"
REPLICA_READS_CANCELLED: Final = "ReplicaReadsCancelled"
COUNTERS_NOT_SETTLED: Final = "CountersNotSettled"
MAX_METRIC_VALUES: Final = 100  # of one metric in a line
COUNT: Final = "Count"
SECONDS: Final = "Seconds"
NO_METADATA: Final[Mapping[str, str]] = MappingProxyType({})

_encoder: Final = msgspec.json.Encoder()


def count(
    name: str,
    metadata: Mapping[str, str] = NO_METADATA,
    amount: int = 1,
    *,
    cause: str = "",
    at_seconds: float | None = None,
) -> None:
    """Add *amount* to the metric *name* at the Unix time *at_seconds*, now by default.

    *metadata* is logged, not a metric dimension.

    The metric has two sets of dimensions: service and stack, which alarms watch, so that two stacks in one account do
    not fire each other's alarms; and service alone, which dashboards of earlier releases show. *cause* is a further
    dimension of both. It has few values, because CloudWatch bills each one as a metric.
    """
    dimensions = _dimensions(cause)
    _print(name, [float(amount)], COUNT, metadata, dimensions, time.time() if at_seconds is None else at_seconds)


def measure_seconds(name: str, values: Sequence[float]) -> None:
    """Add *values*, in seconds, to the metric *name*. CloudWatch can show its percentiles."""
    now, dimensions = time.time(), _dimensions()
    for first in range(0, len(values), MAX_METRIC_VALUES):
        _print(name, [*values[first : first + MAX_METRIC_VALUES]], SECONDS, NO_METADATA, dimensions, now)


@contextmanager
def count_failures(*, fault: str, refusal: str, refused: type[Exception]) -> Iterator[None]:
    """Count an error of the block: a *refused* one in the metric *refusal*, any other in *fault*.

    It counts at the time at which the block began, as Lambda's metric `Errors` counts at the time of the invocation. So
    an alarm can subtract both from that metric.

    Raises:
        Exception: the block's own error.
    """
    began_at = time.time()
    try:
        yield
    except refused:
        count(refusal, at_seconds=began_at)
        raise
    except Exception:
        count(fault, at_seconds=began_at)
        raise


def _dimensions(cause: str = "") -> dict[str, str]:
    stack = find_stack_name()
    return {
        SERVICE_DIMENSION: SERVICE,
        **({STACK_DIMENSION: stack} if stack else {}),
        **({CAUSE_DIMENSION: cause} if cause else {}),
    }


def _print(
    name: str,
    values: Sequence[float],
    unit: str,
    metadata: Mapping[str, str],
    dimensions: Mapping[str, str],
    at_seconds: float,
) -> None:
    """Print the line of one metric.

    Its format is AWS's "Specification: Embedded metric format" in the user guide of CloudWatch.
    """
    of_all_stacks = [dimension for dimension in dimensions if dimension != STACK_DIMENSION]
    sets = [of_all_stacks, list(dimensions)] if STACK_DIMENSION in dimensions else [of_all_stacks]
    definition = {"Namespace": NAMESPACE, "Dimensions": sets, "Metrics": [{"Name": name, "Unit": unit}]}
    head = {"Timestamp": int(at_seconds * 1000), "CloudWatchMetrics": [definition]}
    line = {**metadata, "_aws": head, **dimensions, name: values}
    sys.stdout.write(_encoder.encode(line).decode() + "\n")  # in one call, because Lambda writes each of them at once
