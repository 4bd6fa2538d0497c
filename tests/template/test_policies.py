"""Policies: no wildcard, no foreign queue, and of API Gateway only the keys of the stack."""

import re
from typing import Any

from tenancy.rules.custom_domains import TARGET_LABEL
from tenancy.stores.aws.domain_tags import DOMAINS_TAG
from tenancy.stores.aws.gateway_keys import STACK_TAG
from tenancy.stores.aws.target_records import CNAME
from tests.members import for_each
from tests.template.template import FOLDERS, FUNCTIONS, RESOURCES, TEMPLATE, events, listed, statements

GATEWAY = "arn:${AWS::Partition}:apigateway:${AWS::Region}::"
TAGS_OF_KEYS = "/tags/arn%3A${AWS::Partition}%3Aapigateway%3A${AWS::Region}%3A%3A%2Fapikeys%2F*"
TAGS_OF_DOMAINS = TAGS_OF_KEYS.replace("apikeys", "domainnames")
# ACM takes no resource for these actions.
WITHOUT_RESOURCE = {"acm:ListCertificates", "acm:RequestCertificate"}
# The stack's own domain and certificate, and those of other stacks, have this tag.
NOT_OF_CLOUDFORMATION = {"aws:ResourceTag/aws:cloudformation:stack-name": True}
RECORD_NAMES, RECORD_TYPES, RECORD_ACTIONS = (
    f"route53:ChangeResourceRecordSets{key}" for key in ("NormalizedRecordNames", "RecordTypes", "Actions")
)
TARGETS = {"Fn::Sub": f"*.{TARGET_LABEL}.${{BaseDomain}}"}
# The tag that limits each path to this stack: the one in the request, or the one of the key or plan.
LIMITING_TAG = {
    "/apikeys": f"aws:RequestTag/{STACK_TAG}",
    TAGS_OF_KEYS: f"aws:RequestTag/{STACK_TAG}",
    "/apikeys/*": f"aws:ResourceTag/{STACK_TAG}",
    "/usageplans/*/keys": f"aws:ResourceTag/{STACK_TAG}",
    "/domainnames": f"aws:RequestTag/{DOMAINS_TAG}",
    TAGS_OF_DOMAINS: f"aws:RequestTag/{DOMAINS_TAG}",
    "/domainnames/*": f"aws:ResourceTag/{DOMAINS_TAG}",
    "/domainnames/*/basepathmappings": f"aws:ResourceTag/{DOMAINS_TAG}",
}


def gateway_permissions() -> list[tuple[str, str, Any]]:
    """Return action, path and condition of each permission that a function has in API Gateway."""
    return [
        (action, resource["Fn::Sub"].removeprefix(GATEWAY), statement.get("Condition"))
        for function in FOLDERS
        for statement in statements(function)
        for action in listed(statement["Action"])
        if action.startswith("apigateway:")
        for resource in listed(statement["Resource"])
    ]


@for_each("function", FOLDERS)
def test_no_policy_allows_all_actions_or_resources(function: str) -> None:
    for statement in statements(function):
        assert not [action for action in listed(statement["Action"]) if "*" in action]
        if not set(listed(statement["Action"])) <= WITHOUT_RESOURCE:
            assert "*" not in listed(statement["Resource"])


def test_certificates_are_limited_to_the_stack_by_their_tag() -> None:
    changes = {"acm:RequestCertificate", "acm:AddTagsToCertificate", "acm:DeleteCertificate"}

    found = [each for function in FOLDERS for each in statements(function) if changes & set(listed(each["Action"]))]

    assert {action for each in found for action in listed(each["Action"])} == changes
    for each in found:
        [(key, value)] = each["Condition"]["StringEquals"].items()
        assert key.partition("/")[2] == DOMAINS_TAG
        assert value == {"Ref": "AWS::StackName"}
        assert each["Condition"]["Null"] == NOT_OF_CLOUDFORMATION


def test_zone_is_changed_only_at_targets_of_custom_domains() -> None:
    """`ForAllValues` is true for a missing key, so each key must have values (`Null`)."""
    changes = {
        function: each
        for function in FOLDERS
        for each in statements(function)
        if "route53:ChangeResourceRecordSets" in listed(each["Action"])
    }

    found = {name: each["Condition"]["ForAllValues:StringEquals"][RECORD_ACTIONS] for name, each in changes.items()}

    assert found == {"domain_steps": ["UPSERT", "DELETE"], "erase": ["DELETE"]}
    for each in changes.values():
        conditions = each["Condition"]
        assert each["Action"] == "route53:ChangeResourceRecordSets"
        assert conditions["ForAllValues:StringLike"] == {
            RECORD_NAMES: [{"Fn::Sub": f"*.{TARGET_LABEL}.${{BaseDomain}}"}]
        }
        assert conditions["ForAllValues:StringEquals"][RECORD_TYPES] == [CNAME]
        assert conditions["Null"] == dict.fromkeys((RECORD_NAMES, RECORD_TYPES, RECORD_ACTIONS), False)


def test_base_domain_is_in_lower_case_as_names_in_conditions_are() -> None:
    pattern = TEMPLATE["Parameters"]["BaseDomain"]["AllowedPattern"]

    assert re.fullmatch(pattern, "attribution.example")
    assert not re.fullmatch(pattern, "Attribution.example")


@for_each("function", FOLDERS)
def test_function_that_reads_a_queue_has_its_own_role(function: str) -> None:
    """SAM gives a function with an SQS event a managed policy for all queues of the account."""
    assert (bool(events(function, "SQS")) or function == "fetch") == ("Role" in FUNCTIONS[function])


def test_fetch_has_no_rights_and_is_outside_the_vpc() -> None:
    """Tenants choose the servers that it calls. Its role writes logs and traces, and does nothing else."""
    role, fetch = RESOURCES["FetchRole"]["Properties"], FUNCTIONS["fetch"]

    managed = [policy["Fn::Sub"].rpartition("/")[2] for policy in role["ManagedPolicyArns"]]

    assert managed == ["AWSLambdaBasicExecutionRole", "AWSXRayDaemonWriteAccess"]
    assert "Policies" not in role | fetch
    assert fetch["VpcConfig"] == {"Ref": "AWS::NoValue"}
    assert "Events" not in fetch


def test_fetch_may_call_no_private_host() -> None:
    """Tests alone set the variable, on a deployed function."""
    assert FUNCTIONS["fetch"]["Environment"]["Variables"]["PRIVATE_HOSTS_ALLOWED"] == ""


def test_functions_that_invoke_others_invoke_fetch_alone() -> None:
    invokers = {
        function: each["Resource"]
        for function in FOLDERS
        for each in statements(function)
        if "lambda:InvokeFunction" in listed(each["Action"])
    }

    assert invokers == {
        function: {"Ref": "Fetch.Alias"} for function in ("branding", "domain_steps", "domains", "roll_up", "sso")
    }


def test_gateway_permissions_are_for_keys_plans_and_domains() -> None:
    assert {path for _, path, _ in gateway_permissions()} == set(LIMITING_TAG)


def test_gateway_reads_are_for_keys_and_domains() -> None:
    reads = {path for action, path, _ in gateway_permissions() if action == "apigateway:GET"}

    assert reads == {"/apikeys", "/usageplans/*/keys", "/domainnames", "/domainnames/*"}


def test_gateway_permissions_are_limited_to_the_stack_by_its_tag() -> None:
    """Only the lists of all keys and of all domains have no tag, and reads of a domain."""
    path_of_plans = {"Fn::Sub": "/${AWS::StackName}/usage-plans"}
    unlimited = {("apigateway:GET", path) for path in ("/apikeys", "/domainnames", "/domainnames/*")}

    limited = [each for each in gateway_permissions() if each[:2] not in unlimited]

    assert limited
    for _, path, condition in limited:
        is_of_domains = DOMAINS_TAG in LIMITING_TAG[path]
        value = {"Ref": "AWS::StackName"} if is_of_domains else path_of_plans
        others = {"Null": NOT_OF_CLOUDFORMATION} if is_of_domains else {}
        assert condition == {"StringEquals": {LIMITING_TAG[path]: value}, **others}, path
