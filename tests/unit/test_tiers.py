"""The tiers have the numbers of the product's table."""

import re

import pytest

from tenancy.rules.tiers import QUOTAS, Quotas, Tier
from tests.given import ROOT

TABLE: dict[str, dict[str, object]] = {
    "starter": {
        "events_per_month": 1_000_000,
        "api_requests_per_minute": 100,
        "ingest_requests_per_minute": 1_000,
        "storage_gb": 10,
        "users": 5,
        "apps": 2,
        "data_retention_days": 90,
        "audit_retention_days": 365,
        "ml_predictions_per_month": 10_000,
        "custom_models": False,
        "white_label": False,
        "sso": False,
        "support_level": "community",
        "price_per_month": 99,
    },
    "growth": {
        "events_per_month": 10_000_000,
        "api_requests_per_minute": 500,
        "ingest_requests_per_minute": 5_000,
        "storage_gb": 50,
        "users": 20,
        "apps": 10,
        "data_retention_days": 180,
        "audit_retention_days": 730,
        "ml_predictions_per_month": 100_000,
        "custom_models": False,
        "white_label": False,
        "sso": True,
        "support_level": "email",
        "price_per_month": 499,
    },
    "enterprise": {
        "events_per_month": 100_000_000,
        "api_requests_per_minute": 2000,
        "ingest_requests_per_minute": 20_000,
        "storage_gb": 500,
        "users": None,
        "apps": None,
        "data_retention_days": 730,
        "audit_retention_days": 2555,
        "ml_predictions_per_month": 1_000_000,
        "custom_models": True,
        "white_label": True,
        "sso": True,
        "support_level": "priority",
        "price_per_month": 2499,
    },
}


def test_there_are_three_tiers() -> None:
    assert {tier.value for tier in QUOTAS} == {tier.value for tier in Tier} == set(TABLE)


@pytest.mark.parametrize("tier", Tier)
def test_tier_has_the_numbers_of_the_table(tier: Tier) -> None:
    quotas = QUOTAS[tier]
    assert {name: getattr(quotas, name) for name in Quotas.__slots__} == TABLE[tier]


def test_request_quota_is_30_days_at_the_rate_limit() -> None:
    assert {tier.value: QUOTAS[tier].api_requests_per_month for tier in Tier} == {
        "starter": 4_320_000,
        "growth": 21_600_000,
        "enterprise": 86_400_000,
    }
    assert {tier.value: QUOTAS[tier].ingest_requests_per_month for tier in Tier} == {
        "starter": 43_200_000,
        "growth": 216_000_000,
        "enterprise": 864_000_000,
    }


def test_write_keys_have_ten_times_the_rate_of_other_credentials() -> None:
    for quotas in QUOTAS.values():
        assert quotas.ingest_requests_per_minute == 10 * quotas.api_requests_per_minute


def test_storage_is_sold_in_gibibytes() -> None:
    assert QUOTAS[Tier.STARTER].storage_bytes == 10 * 1024**3


def test_table_is_immutable() -> None:
    with pytest.raises(TypeError):
        QUOTAS[Tier.STARTER] = QUOTAS[Tier.ENTERPRISE]  # type: ignore[index]

    with pytest.raises(AttributeError):
        QUOTAS[Tier.STARTER].users = None  # type: ignore[misc]


@pytest.mark.parametrize("tier", Tier)
def test_docs_have_the_numbers_of_the_tiers(tier: Tier) -> None:
    rows = re.findall(rf"^\| {tier} \|(.+)\|$", (ROOT / "docs/api.md").read_text(), re.MULTILINE)
    quotas = QUOTAS[tier]
    numbers = (
        quotas.api_requests_per_minute,
        quotas.ingest_requests_per_minute,
        quotas.events_per_month,
        quotas.ml_predictions_per_month,
        quotas.storage_gb,
        quotas.users,
        quotas.apps,
        quotas.data_retention_days,
    )
    shown = [f"{number:,}" if number is not None else "any" for number in numbers]

    assert [[cell.strip() for cell in row.split("|")] for row in rows] == [shown]
