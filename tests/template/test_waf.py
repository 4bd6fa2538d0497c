"""The web application firewall: off by default, and a rate rule for each address. No emulator has its association."""

import json
from typing import Any

from tenancy.rules.usage_plans import UsagePlan, fence_of
from tests.template.template import RESOURCES, TEMPLATE, properties_of
from tests.template.transformed import deployed, transformed

WINDOW_SECONDS = 300
TYPES = {"AWS::WAFv2::WebACL", "AWS::WAFv2::WebACLAssociation"}


def waf_of(**parameters: str) -> dict[str, dict[str, Any]]:
    """Return the properties of WAF's resources in a deployed stack, by their types."""
    resources = deployed(**parameters)["Resources"].values()
    return {each["Type"]: each["Properties"] for each in resources if each["Type"].startswith("AWS::WAF")}


def rate_rules() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the rule of all requests, and that of log-in."""
    of_all, of_log_in = waf_of(Waf="true")["AWS::WAFv2::WebACL"]["Rules"]
    return of_all, of_log_in


def test_stack_has_a_firewall_only_if_it_is_wanted() -> None:
    assert set(waf_of()) == set()
    assert set(waf_of(Waf="true")) == TYPES


def test_firewall_is_in_front_of_the_stage() -> None:
    association = waf_of(Waf="true")["AWS::WAFv2::WebACLAssociation"]

    stage = "arn:${AWS::Partition}:apigateway:${AWS::Region}::/restapis/${Api}/stages/v1"
    assert association == {"ResourceArn": {"Fn::Sub": stage}, "WebACLArn": {"Fn::GetAtt": "WebAcl.Arn"}}
    assert RESOURCES["WebAclAssociation"]["DependsOn"] == "Apiv1Stage"


def test_firewall_refuses_addresses_above_a_rate_and_no_other_request() -> None:
    acl, (rule, _) = waf_of(Waf="true")["AWS::WAFv2::WebACL"], rate_rules()

    assert (acl["Scope"], acl["DefaultAction"]) == ("REGIONAL", {"Allow": {}})
    assert rule["Statement"] == {
        "RateBasedStatement": {
            "AggregateKeyType": "IP",
            "EvaluationWindowSec": WINDOW_SECONDS,
            "Limit": TEMPLATE["Parameters"]["RequestsPerAddress"]["Default"],
        }
    }


def test_one_server_of_the_largest_tier_stays_below_the_rate() -> None:
    largest = fence_of(UsagePlan.ENTERPRISE).rate_per_second * WINDOW_SECONDS

    assert TEMPLATE["Parameters"]["RequestsPerAddress"]["Default"] > largest


def log_in_paths() -> list[str]:
    """Return the prefixes of paths that have a rate of their own."""
    statement = rate_rules()[1]["Statement"]["RateBasedStatement"]["ScopeDownStatement"]
    matches = [each["ByteMatchStatement"] for each in statement["OrStatement"]["Statements"]]
    assert {each["PositionalConstraint"] for each in matches} == {"STARTS_WITH"}
    assert [each["FieldToMatch"] for each in matches] == [{"UriPath": {}}] * len(matches)
    return [each["SearchString"] for each in matches]


def test_one_address_cannot_use_up_the_throttle_of_log_in() -> None:
    """Its rate is a tenth of the throttle, which all callers share."""
    parameters, rate = TEMPLATE["Parameters"], rate_rules()[1]["Statement"]["RateBasedStatement"]

    assert rate["Limit"] == parameters["LogInRequestsPerAddress"]["Default"]
    assert rate["Limit"] <= parameters["PeopleRequestsPerSecond"]["Default"] * WINDOW_SECONDS / 10


def test_each_public_path_of_people_has_the_rate_of_log_in() -> None:
    public = {
        f"/v1{path}"
        for path, operations in transformed()["Api"]["Properties"]["Body"]["paths"].items()
        for method, operation in operations.items()
        if method in {"get", "post"} and operation["security"] == []
    }

    limited = {path for path in public if path.startswith(tuple(log_in_paths()))}

    assert {path for path in public if path.startswith(("/v1/auth", "/v1/users"))} == limited != set()


def test_both_rules_refuse_alike() -> None:
    of_all, of_log_in = rate_rules()

    assert of_all["Action"] == of_log_in["Action"]
    assert (of_all["Priority"], of_log_in["Priority"]) == (0, 1)


def test_refusal_is_a_429_that_sdks_repeat() -> None:
    acl, response = waf_of(Waf="true")["AWS::WAFv2::WebACL"], rate_rules()[0]["Action"]["Block"]["CustomResponse"]

    body = acl["CustomResponseBodies"][response["CustomResponseBodyKey"]]

    document, headers = (
        json.loads(body["Content"]),
        {each["Name"]: each["Value"] for each in response["ResponseHeaders"]},
    )
    assert response["ResponseCode"] == document["status"] == 429
    assert document["code"] == "throttled"
    assert headers == {
        "Retry-After": str(document["retry_after"]),
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Expose-Headers": "Retry-After",
    }
    assert document["retry_after"] == WINDOW_SECONDS


def test_firewall_keeps_no_request() -> None:
    """Samples and logs have addresses and credentials."""
    acl = waf_of(Waf="true")["AWS::WAFv2::WebACL"]

    samples = [each["VisibilityConfig"]["SampledRequestsEnabled"] for each in (acl, *acl["Rules"])]

    assert samples == [False, False, False]
    assert not properties_of("AWS::WAFv2::LoggingConfiguration")


def test_metrics_of_the_firewall_have_the_name_of_the_stack() -> None:
    acl = waf_of(Waf="true")["AWS::WAFv2::WebACL"]

    names = [each["VisibilityConfig"]["MetricName"]["Fn::Sub"] for each in (acl, *acl["Rules"])]

    assert all(name.startswith("${AWS::StackName}-") for name in names)
