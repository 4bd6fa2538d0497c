"""Months, periods, and the documents that show usage and statistics."""

from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenancy.errors import InvalidError
from tenancy.gateway.documents.statistics import statistics_document
from tenancy.gateway.documents.usage import usage_document
from tenancy.gateway.periods import parse_period
from tenancy.rules.cursors import Page
from tenancy.rules.durations import SETTLING_TIME
from tenancy.rules.quotas import Allowance, Metric
from tenancy.rules.statistics import Statistics, StatisticsQuery
from tenancy.rules.tiers import Tier
from tenancy.rules.usage import DailyUsage, Period, month_of, unsettled_since
from tenancy.use_cases.usage.read_usage import UsageReport
from tests.given import sold

TODAY = date(2026, 11, 24)
NOVEMBER = Period(start=date(2026, 11, 1), end=date(2026, 12, 1))


@given(st.dates(max_value=date(9999, 11, 30)))
def test_month_contains_its_day(day: date) -> None:
    month = month_of(day)

    assert month.start.day == month.end.day == 1
    assert month.start <= day < month.end
    assert 28 <= (month.end - month.start).days <= 31


def test_no_rows_are_settled_before_the_first_roll_up() -> None:
    assert unsettled_since(None) == datetime(1970, 1, 1, tzinfo=UTC)


def test_roll_up_looks_back_by_the_settling_time() -> None:
    moment = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
    assert moment - unsettled_since(moment) == SETTLING_TIME


@pytest.mark.parametrize(
    ("start", "end", "period"),
    [
        (None, None, NOVEMBER),
        (date(2026, 11, 5), None, Period(start=date(2026, 11, 5), end=date(2026, 12, 1))),
        (None, date(2026, 11, 5), Period(start=date(2026, 11, 1), end=date(2026, 11, 5))),
        (date(2026, 1, 1), date(2026, 1, 1), Period(start=date(2026, 1, 1), end=date(2026, 1, 1))),
    ],
)
def test_period_defaults_to_this_month(start: date | None, end: date | None, period: Period) -> None:
    assert parse_period(start, end, today=TODAY) == period


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (date(2026, 11, 2), date(2026, 11, 1)),
        (None, date(2026, 10, 1)),
        (date(1, 1, 1), None),
        (None, date(9999, 12, 31)),
        (date(9999, 12, 31), date(9999, 12, 31)),
    ],
)
def test_invalid_period_is_refused(start: date | None, end: date | None) -> None:
    with pytest.raises(InvalidError) as refusal:
        parse_period(start, end, today=TODAY)

    assert [error.code for error in refusal.value.errors] == ["out_of_range"]


def test_usage_document_has_the_form_of_the_api() -> None:
    report = UsageReport(
        organization_id=UUID(int=7),
        entitlements=sold(Tier.ENTERPRISE),
        period=NOVEMBER,
        quotas={Metric.EVENTS: Allowance(used=12, limit=10), Metric.USERS: Allowance(used=3, limit=None)},
        held={"clock": 2, "quota": 3},
        daily=[DailyUsage(metric_date=TODAY, events=12, unique_users=4, storage_bytes=99)],
    )

    assert usage_document(report, cursor=None, limit=1) == {
        "organization_id": str(UUID(int=7)),
        "tier": "enterprise",
        "period": {"start": "2026-11-01", "end": "2026-12-01"},
        "quotas": {
            "events": {"used": 12, "limit": 10, "remaining": 0},
            "users": {"used": 3, "limit": None, "remaining": None},
        },
        "held": {"count": 5, "reasons": {"clock": 2, "quota": 3}},
        "daily": [
            {
                "date": "2026-11-24",
                "events": 12,
                "api_requests": 0,
                "ingest_requests": 0,
                "storage_bytes": 99,
                "ml_predictions": 0,
                "unique_users": 4,
            }
        ],
        "pagination": {"next_cursor": None, "has_more": False},
    }


@pytest.mark.parametrize(
    ("amount", "text"),
    [("1.250000", "1.25"), ("0E-6", "0"), ("100.000000", "100"), ("-0.500000", "-0.5"), ("1E+5", "100000")],
)
def test_money_is_a_decimal_text(amount: str, text: str) -> None:
    group = Statistics(TODAY, None, "Order Completed", None, None, None, 3, {"EUR": Decimal(amount)}, 2)

    query = StatisticsQuery(period=NOVEMBER, group_by=["day", "event_name"])

    document = statistics_document(Page.of([group], 1, repr), query)

    assert document["pagination"] == {"next_cursor": None, "has_more": False}
    [shown] = document["data"]
    assert shown == {
        "day": "2026-11-24",
        "event_name": "Order Completed",
        "events": 3,
        "revenue": {"EUR": text},
        "unique_devices": 2,
    }
