"""Entitlements are the tier's quotas with the overrides applied.

Code reads a limit of an organization only from them.
"""

import ast
from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, date, datetime
from uuid import UUID

import msgspec
import pytest
from pydantic import ValidationError

from tenancy.errors import RatesTooLargeError
from tenancy.rules.admission import Admission, AdmissionVerdict
from tenancy.rules.entitlements import (
    BOUNDS,
    ENTITLEMENT_NAMES,
    FLAG_NAMES,
    Entitlements,
    OverrideValue,
    change_overrides,
    first_kept_day,
    retention_days_of,
)
from tenancy.rules.organization import Organization
from tenancy.rules.organization_change import OrganizationChange, OverrideChanges
from tenancy.rules.quotas import Metric, limit_of, list_reached_thresholds
from tenancy.rules.tiers import BYTES_PER_GIB, MAX_REQUESTS_PER_MINUTE, QUOTAS, Quotas, Tier
from tenancy.rules.usage import MonthSoFar
from tenancy.rules.usage_plans import PLAN_REQUESTS_PER_MINUTE, UsagePlan, fence_of, plan_of
from tests.given import ROOT, sold

NO_NUMBERS: tuple[object, ...] = (True, 1.5, 1.0, "5", "", "Unlimited", [], {})
NOT_OVERRIDABLE = {"support_level", "price_per_month"}
TABLE = "layers/tenancy/tenancy/rules/tiers.py"
RESOLUTION = "layers/tenancy/tenancy/rules/entitlements.py"
# The admission script gets the limits of all tiers, each usage plan fits the rate of a tier, and the compliance report
# of the platform lists the retention of each tier.
READS_ALL_TIERS = {
    "layers/tenancy/tenancy/gateway/documents/compliance_sections.py",
    "layers/tenancy/tenancy/stores/redis/counters.py",
    "layers/tenancy/tenancy/rules/usage_plans.py",
}
ORGANIZATION_ID = UUID(int=7)


def entitled(tier: Tier = Tier.STARTER, **overrides: OverrideValue) -> Entitlements:
    return Entitlements(tier=tier, overrides=overrides)


def changes(**overrides: object) -> OrganizationChange:
    return OrganizationChange.model_validate({"overrides": overrides})


def test_entitlements_without_overrides_are_those_of_the_tier() -> None:
    assert {tier: sold(tier).quotas for tier in Tier} == dict(QUOTAS)


def test_override_replaces_one_number_and_nothing_else() -> None:
    found = entitled(events_per_month=5, sso=True)

    assert (found.quotas.events_per_month, found.quotas.sso, found.quotas.users) == (5, True, 5)
    assert found.quotas.grace_events_per_month == 0
    assert found.quotas.support_level == "community"


def test_full_storage_has_a_band_without_a_limit_of_events() -> None:
    found = entitled(events_per_month="unlimited")
    admission = Admission(verdict=AdmissionVerdict.ADMITTED, rate=None, entitlements=found)
    so_far = MonthSoFar(events=5, held=found.quotas.grace_events_per_month - 1, storage_bytes=10 * BYTES_PER_GIB)

    decided = admission.with_events(10, so_far, all_or_nothing=False)

    assert (decided.accepted, decided.held, decided.metric) == (0, 1, Metric.STORAGE_BYTES)


def test_unlimited_lifts_each_limit_that_depends_on_the_number() -> None:
    found = entitled(events_per_month="unlimited", storage_gb="unlimited", users="unlimited")

    assert found.quotas.grace_events_per_month == QUOTAS[Tier.ENTERPRISE].grace_events_per_month
    assert [limit_of(found, metric) for metric in (Metric.EVENTS, Metric.STORAGE_BYTES, Metric.USERS)] == [None] * 3


def test_quota_of_requests_follows_the_rate() -> None:
    found = entitled(api_requests_per_minute=7, ingest_requests_per_minute=9)

    assert limit_of(found, Metric.API_REQUESTS) == 7 * 43_200
    assert limit_of(found, Metric.INGEST_REQUESTS) == 9 * 43_200


def test_rate_of_write_keys_follows_only_its_own_override() -> None:
    assert entitled(api_requests_per_minute=7).quotas.ingest_requests_per_minute == 1_000
    assert entitled(ingest_requests_per_minute=7).quotas.api_requests_per_minute == 100


def test_override_of_a_later_release_has_no_effect() -> None:
    assert entitled(teleports_per_month=5).quotas == QUOTAS[Tier.STARTER]


def test_everything_but_price_and_support_can_be_overridden() -> None:
    assert set(ENTITLEMENT_NAMES) == {each.name for each in fields(Quotas)} - NOT_OVERRIDABLE
    assert list(OverrideChanges.model_fields) == list(ENTITLEMENT_NAMES)


@pytest.mark.parametrize("tier", Tier)
def test_numbers_of_each_tier_lie_within_the_bounds(tier: Tier) -> None:
    values = sold(tier).values

    outside = [
        name
        for name, bounds in BOUNDS.items()
        if (value := values[name]) is not None and not bounds.least <= value <= bounds.most
    ]

    assert outside == []
    assert [name for name in BOUNDS if values[name] is None and not BOUNDS[name].may_be_lifted] == []


def test_stored_answer_of_the_release_before_is_readable() -> None:
    stored = b"""{"id": "0a000000-0000-4000-8000-00000000000a", "name": "Acme", "subdomain": "acme", "tier": "starter",
        "status": "active", "created_at": "2026-11-24T12:00:00Z", "updated_at": "2026-11-24T12:00:00Z",
        "deleted_at": null, "purge_at": null, "deletion_reason": null}"""

    organization = msgspec.json.decode(stored, type=Organization)

    assert organization.entitlements == sold(Tier.STARTER)


def test_null_removes_one_override() -> None:
    before = {"events_per_month": 5, "sso": True}

    assert change_overrides(before, {"sso": None, "users": 7}) == {"events_per_month": 5, "users": 7}


@pytest.mark.parametrize("name", BOUNDS)
def test_bounds_of_a_number_are_accepted_and_no_more(name: str) -> None:
    bounds = BOUNDS[name]

    for value in (bounds.least, bounds.most, None):
        changes(**{name: value})

    for wrong in (bounds.least - 1, bounds.most + 1, -1, 10**30, *NO_NUMBERS):
        with pytest.raises(ValidationError):
            changes(**{name: wrong})


@pytest.mark.parametrize("name", BOUNDS)
def test_only_limits_that_may_be_lifted_become_unlimited(name: str) -> None:
    if BOUNDS[name].may_be_lifted:
        changes(**{name: "unlimited"})
    else:
        with pytest.raises(ValidationError):
            changes(**{name: "unlimited"})


@pytest.mark.parametrize("name", FLAG_NAMES)
def test_flag_takes_booleans_only(name: str) -> None:
    for value in (True, False, None):
        changes(**{name: value})

    for wrong in (0, 1, "true", "unlimited", *NO_NUMBERS[3:]):
        with pytest.raises(ValidationError):
            changes(**{name: wrong})


def test_change_without_an_override_is_refused() -> None:
    with pytest.raises(ValidationError):
        changes()


@pytest.mark.parametrize("name", ["api_requests_per_minute", "ingest_requests_per_minute"])
def test_rate_above_its_bound_names_the_maximum(name: str) -> None:
    with pytest.raises(ValidationError, match=str(MAX_REQUESTS_PER_MINUTE)):
        changes(**{name: MAX_REQUESTS_PER_MINUTE + 1})


@pytest.mark.parametrize(
    ("tier", "api", "ingest", "plan"),
    [
        (Tier.STARTER, 1, 1, "starter"),
        (Tier.STARTER, 100, 1_000, "starter"),
        (Tier.STARTER, 1_000, 100, "starter"),
        (Tier.STARTER, 100, 1_001, "growth"),
        (Tier.STARTER, 101, 1_000, "growth"),
        (Tier.STARTER, 100, 5_400, "growth"),
        (Tier.STARTER, 100, 5_401, "enterprise"),
        (Tier.STARTER, 2_000, 20_001, "custom"),
        (Tier.ENTERPRISE, 1, 1, "enterprise"),
        (Tier.ENTERPRISE, 60_000, 20_000, "custom"),
        (Tier.STARTER, 20_000, 60_000, "custom"),
    ],
)
def test_both_rates_choose_the_smallest_plan_that_fits(tier: Tier, api: int, ingest: int, plan: str) -> None:
    found = entitled(tier, api_requests_per_minute=api, ingest_requests_per_minute=ingest)

    assert plan_of(found) == plan


def test_rates_past_the_largest_plan_name_their_sum() -> None:
    with pytest.raises(RatesTooLargeError, match=r"80001 \(api 20001, ingest 60000\)"):
        plan_of(entitled(api_requests_per_minute=20_001, ingest_requests_per_minute=60_000))


@pytest.mark.parametrize("tier", Tier)
@pytest.mark.parametrize("name", ["api_requests_per_minute", "ingest_requests_per_minute"])
def test_largest_rate_of_one_bucket_fits_a_plan_in_any_tier(tier: Tier, name: str) -> None:
    """So only overrides of both rates are refused, and a change of the tier is never refused."""
    assert plan_of(entitled(tier, **{name: MAX_REQUESTS_PER_MINUTE})) == "custom"


@pytest.mark.parametrize("tier", Tier)
def test_organization_without_overrides_is_in_the_plan_of_its_tier(tier: Tier) -> None:
    assert plan_of(sold(tier)) == tier.value


@pytest.mark.parametrize("plan", UsagePlan)
def test_fence_is_twice_the_rate_of_a_plan(plan: UsagePlan) -> None:
    fence, rate = fence_of(plan), PLAN_REQUESTS_PER_MINUTE[plan]

    assert fence.rate_per_second == pytest.approx(2 * rate / 60, abs=0.005)
    assert fence.burst == min(2 * rate, 5_000)


def test_quota_of_zero_is_reached_by_the_first_use() -> None:
    def percents(used: int) -> list[int]:
        today = date(2026, 11, 24)
        none = entitled(ml_predictions_per_month=0)
        notices = list_reached_thresholds(ORGANIZATION_ID, none, Metric.ML_PREDICTIONS, used=used, today=today)
        return [notice.percent for notice in notices]

    assert (percents(0), percents(1)) == ([], [80, 100])


def test_longest_retention_that_was_left_applies() -> None:
    now = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)

    assert first_kept_day([1, 30, 7], now) == date(2026, 10, 25)
    assert (retention_days_of(Tier.GROWTH, None), retention_days_of(Tier.GROWTH, 7)) == (180, 7)


# ------------------------------------------------------------------------------------------------------- no look-ups


def lookups(path: str, tree: ast.AST) -> Iterator[str]:
    """Yield each place that reads limits by a tier, so that overrides would be missed."""
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.ImportFrom) else []
        names += [node.id] if isinstance(node, ast.Name) else []
        names += [node.attr] if isinstance(node, ast.Attribute) else []
        if "QUOTAS" in names and path not in {TABLE, RESOLUTION}:
            yield f"{path}: the table of the tiers"
        if "list_tiers" in names and path not in {RESOLUTION, *READS_ALL_TIERS}:
            yield f"{path}: all tiers"
        if isinstance(node, ast.Call) and path != RESOLUTION and _is_without_overrides(node):
            yield f"{path}: entitlements of a tier"


def _is_without_overrides(call: ast.Call) -> bool:
    if not (isinstance(call.func, ast.Name) and call.func.id == "Entitlements"):
        return False
    given = {keyword.arg: keyword.value for keyword in call.keywords}.get("overrides")
    return given is None or isinstance(given, ast.Dict | ast.Constant)


def test_no_code_reads_a_limit_by_the_tier() -> None:
    paths = [path for folder in ("functions", "layers/tenancy") for path in sorted((ROOT / folder).rglob("*.py"))]

    found = [
        place for path in paths for place in lookups(path.relative_to(ROOT).as_posix(), ast.parse(path.read_text()))
    ]

    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        "from tenancy.rules.tiers import QUOTAS",
        "limit = tiers.QUOTAS[tier].users",
        "limit = {each.tier: each for each in list_tiers()}[tier]",
        "limit = Entitlements(tier=tier, overrides={}).quotas.users",
    ],
)
def test_look_up_by_the_tier_is_found(source: str) -> None:
    assert list(lookups("functions/usage/app.py", ast.parse(source))) != []
