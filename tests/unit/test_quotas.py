"""Refusals over a quota name the metric, its limit and its use."""

import pytest

from tenancy.rules.quotas import Metric, quota_exceeded, quota_retry_later
from tenancy.rules.tiers import Tier
from tests.given import sold


@pytest.mark.parametrize(
    ("metric", "used", "detail"),
    [
        (Metric.EVENTS, 1_000_000, "Quota exceeded: 1000000 of 1000000 events used this month."),
        (Metric.ML_PREDICTIONS, 10_001, "Quota exceeded: 10001 of 10000 ml predictions used this month."),
        (
            Metric.ML_PREDICTIONS,
            9_990,
            ("Quota exceeded: 9990 of 10000 ml predictions used this month. The remaining 10 are not enough."),
        ),
        (Metric.USERS, 5, "Quota exceeded: 5 of 5 users used."),
    ],
)
def test_402_names_limit_and_use(metric: Metric, used: int, detail: str) -> None:
    refusal = quota_exceeded(sold(Tier.STARTER), metric, used=used)

    assert (refusal.status, refusal.detail) == (402, detail)


def test_402_names_reservations() -> None:
    refusal = quota_exceeded(sold(Tier.STARTER), Metric.ML_PREDICTIONS, used=1, reserved=9_999)

    assert refusal.detail == "Quota exceeded: 1 of 10000 ml predictions used this month, 9999 reserved."


def test_429_names_limit_and_retry_time() -> None:
    refusal = quota_retry_later(sold(Tier.STARTER), Metric.EVENTS)

    assert (refusal.status, refusal.retry_after) == (429, 3600)
    assert refusal.detail == (
        "Quota exceeded: the request does not fit into the quota of 1000000 events this month. Retry after 3600 s. "
        "An upgrade or the next month gives new quota."
    )
