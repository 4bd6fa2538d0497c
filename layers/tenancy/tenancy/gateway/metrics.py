"""Metrics as log lines in CloudWatch's embedded metric format.

Alarms in template.yaml watch them.
"""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, Final

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
COUNTERS_NOT_SETTLED: Final = "CountersNotSettled"
NO_METADATA: Final[Mapping[str, str]] = MappingProxyType({})


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
    dimensions = {SERVICE_DIMENSION: SERVICE}
    stack = find_stack_name()
    dimensions |= {STACK_DIMENSION: stack} if stack else {}
    dimensions |= {CAUSE_DIMENSION: cause} if cause else {}
    line = _line(name, metadata, amount, dimensions, time.time() if at_seconds is None else at_seconds)
    print(json.dumps(line, separators=(",", ":")))  # noqa: T201 - the format is a line of standard output


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


def _line(
    name: str, metadata: Mapping[str, str], amount: int, dimensions: Mapping[str, str], at_seconds: float
) -> dict[str, Any]:
    """Return the line of one metric.

    Its format is AWS's "Specification: Embedded metric format" in the user guide of CloudWatch.
    """
    of_all_stacks = [dimension for dimension in dimensions if dimension != STACK_DIMENSION]
    sets = [of_all_stacks, list(dimensions)] if STACK_DIMENSION in dimensions else [of_all_stacks]
    definition = {"Namespace": NAMESPACE, "Dimensions": sets, "Metrics": [{"Name": name, "Unit": "Count"}]}
    head = {"Timestamp": int(at_seconds * 1000), "CloudWatchMetrics": [definition]}
    return {**metadata, "_aws": head, **dimensions, name: [float(amount)]}
