"""Usage plans: one for each tier, at twice its rate limit, and one for the platform."""

import pytest

from tenancy.rules.tiers import (
    GATEWAY_FENCE_FACTOR,
    PLATFORM_REQUESTS_PER_MINUTE,
    QUOTAS,
    RATE_LIMIT_WINDOW_SECONDS,
    Tier,
)
from tenancy.stores.aws.gateway_keys import STACK_TAG
from tests.template.template import RESOURCES, properties_of

PLANS = properties_of("AWS::ApiGateway::UsagePlan")


def test_plans_are_those_of_the_tiers_and_the_platform() -> None:
    assert set(PLANS) == {f"{tier.title()}Plan" for tier in Tier} | {"PlatformPlan"}


@pytest.mark.parametrize("tier", Tier)
def test_plan_throttles_at_the_limits_of_tiers(tier: Tier) -> None:
    plan, quotas = PLANS[f"{tier.title()}Plan"], QUOTAS[tier]

    assert plan["Throttle"] == {"RateLimit": quotas.gateway_rate_per_second, "BurstLimit": quotas.gateway_burst}
    assert "Quota" not in plan


def test_platform_plan_throttles_at_the_fence_of_a_platform_key() -> None:
    fence = PLATFORM_REQUESTS_PER_MINUTE * GATEWAY_FENCE_FACTOR

    assert PLANS["PlatformPlan"]["Throttle"] == {"RateLimit": fence / RATE_LIMIT_WINDOW_SECONDS, "BurstLimit": fence}


@pytest.mark.parametrize("tier", Tier)
def test_plan_id_is_a_parameter(tier: Tier) -> None:
    assert RESOURCES[f"{tier.title()}PlanId"]["Properties"]["Value"] == {"Ref": f"{tier.title()}Plan"}


def test_only_plans_of_tiers_have_the_stack_tag() -> None:
    tag = {"Key": STACK_TAG, "Value": {"Fn::Sub": "/${AWS::StackName}/usage-plans"}}

    tagged = {name: plan["Tags"] for name, plan in PLANS.items() if "Tags" in plan}

    assert tagged == {f"{tier.title()}Plan": [tag] for tier in Tier}
