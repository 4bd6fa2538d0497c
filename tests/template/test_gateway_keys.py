"""What IAM lets functions do to API Gateway: to what carries the tag of their own stack."""

from collections.abc import Iterator
from typing import Any

from tenancy.rules.tiers import Tier
from tenancy.stores.aws.gateway_keys import STACK_TAG
from tests.template.test_template import FOLDERS, RESOURCES, statements

TAGS_OF_KEYS = "/tags/arn%3A${AWS::Partition}%3Aapigateway%3A${AWS::Region}%3A%3A%2Fapikeys%2F*"


def gateway_rights(function: str) -> Iterator[tuple[str, str, Any]]:
    """Yield what a function may do to API Gateway, and on what condition."""
    for statement in statements(function):
        actions, resources = statement["Action"], statement["Resource"]
        for action in actions if isinstance(actions, list) else [actions]:
            for resource in resources if isinstance(resources, list) else [resources]:
                if action.startswith("apigateway:"):
                    path = resource["Fn::Sub"].removeprefix("arn:${AWS::Partition}:apigateway:${AWS::Region}::")
                    yield action, path, statement.get("Condition")


def test_a_function_makes_and_deletes_the_gateway_keys_of_its_own_stack_alone() -> None:
    own = {"Fn::Sub": "/${AWS::StackName}/usage-plans"}
    conditions = {
        "/apikeys": f"aws:RequestTag/{STACK_TAG}",
        TAGS_OF_KEYS: f"aws:RequestTag/{STACK_TAG}",
        "/apikeys/*": f"aws:ResourceTag/{STACK_TAG}",
        "/usageplans/*/keys": f"aws:ResourceTag/{STACK_TAG}",
    }
    rights = [right for function in FOLDERS for right in gateway_rights(function)]
    assert {path for _, path, _ in rights} == set(conditions)
    for action, path, condition in rights:
        if action == "apigateway:GET":
            assert path == "/apikeys"
        else:
            assert condition == {"StringEquals": {conditions[path]: own}}
    for tier in Tier:
        assert RESOURCES[f"{tier.title()}Plan"]["Properties"]["Tags"] == [{"Key": STACK_TAG, "Value": own}]
    assert "Tags" not in RESOURCES["PlatformPlan"]["Properties"]
