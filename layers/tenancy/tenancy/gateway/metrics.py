"""Metrics, as lines of the log that CloudWatch reads (embedded metric format); template.yaml's alarms watch them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

NAMESPACE: Final = "Tenancy"
SERVICE: Final = "tenancy"
STANDING_NOT_PUBLISHED: Final = "StandingNotPublished"
NO_METADATA: Final[Mapping[str, str]] = MappingProxyType({})


def count(name: str, metadata: Mapping[str, str] = NO_METADATA, amount: int = 1) -> None:
    """Add *amount* to the metric *name*; *whose* stands in the log beside it, and makes no metric of its own."""
    from aws_lambda_powertools.metrics import MetricUnit, single_metric  # noqa: PLC0415 - rare, and slow to import

    with single_metric(name, MetricUnit.Count, amount, namespace=NAMESPACE) as metric:
        metric.add_dimension("service", SERVICE)
        for key, value in metadata.items():
            metric.add_metadata(key, value)
