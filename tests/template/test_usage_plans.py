"""Usage plans: one for each tier, one for larger rates, and one for the platform."""

import pytest

from tenancy.rules.tiers import GATEWAY_FENCE_FACTOR, PLATFORM_REQUESTS_PER_MINUTE, RATE_LIMIT_WINDOW_SECONDS
from tenancy.rules.usage_plans import UsagePlan, fence_of
from tenancy.stores.aws.gateway_keys import STACK_TAG
from tests.template.template import RESOURCES, properties_of

PLANS = properties_of("AWS::ApiGateway::UsagePlan")


def test_plans_are_those_of_organizations_and_the_platform() -> None:
    assert set(PLANS) == {f"{plan.title()}Plan" for plan in UsagePlan} | {"PlatformPlan"}


@pytest.mark.parametrize("plan", UsagePlan)
def test_plan_throttles_at_its_fence(plan: UsagePlan) -> None:
    found, fence = PLANS[f"{plan.title()}Plan"], fence_of(plan)

    assert found["Throttle"] == {"RateLimit": fence.rate_per_second, "BurstLimit": fence.burst}
    assert "Quota" not in found


def test_platform_plan_throttles_at_the_fence_of_a_platform_key() -> None:
    fence = PLATFORM_REQUESTS_PER_MINUTE * GATEWAY_FENCE_FACTOR

    assert PLANS["PlatformPlan"]["Throttle"] == {"RateLimit": fence / RATE_LIMIT_WINDOW_SECONDS, "BurstLimit": fence}


@pytest.mark.parametrize("plan", UsagePlan)
def test_plan_id_is_a_parameter(plan: UsagePlan) -> None:
    parameter = RESOURCES[f"{plan.title()}PlanId"]["Properties"]

    assert parameter["Value"] == {"Ref": f"{plan.title()}Plan"}
    assert parameter["Name"] == {"Fn::Sub": f"/${{AWS::StackName}}/usage-plans/{plan}"}


def test_only_plans_of_organizations_have_the_stack_tag() -> None:
    tag = {"Key": STACK_TAG, "Value": {"Fn::Sub": "/${AWS::StackName}/usage-plans"}}

    tagged = {name: plan["Tags"] for name, plan in PLANS.items() if "Tags" in plan}

    assert tagged == {f"{plan.title()}Plan": [tag] for plan in UsagePlan}
