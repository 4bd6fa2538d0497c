"""Metrics as log lines in CloudWatch's embedded metric format.

Alarms in template.yaml watch them.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

NAMESPACE: Final = "Tenancy"
SERVICE: Final = "tenancy"
SEGMENT_CALLS_REJECTED: Final = "SegmentCallsRejected"
STANDING_NOT_PUBLISHED: Final = "StandingNotPublished"
NO_METADATA: Final[Mapping[str, str]] = MappingProxyType({})


def count(name: str, metadata: Mapping[str, str] = NO_METADATA, amount: int = 1, *, cause: str = "") -> None:
    """Add *amount* to the metric *name*. *metadata* is logged, not a metric dimension.

    *cause* is a dimension. It has few values, because CloudWatch bills each one as a metric.
    """
    from aws_lambda_powertools.metrics import MetricUnit, single_metric  # noqa: PLC0415 - rarely needed and slow to import

    with single_metric(name, MetricUnit.Count, amount, namespace=NAMESPACE) as metric:
        metric.add_dimension("service", SERVICE)
        if cause:
            metric.add_dimension("cause", cause)
        for key, value in metadata.items():
            metric.add_metadata(key, value)
