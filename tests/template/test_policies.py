"""Policies: no wildcard, no foreign queue, and of API Gateway only the keys of the stack."""

from typing import Any

from tenancy.stores.aws.domain_tags import DOMAINS_TAG
from tenancy.stores.aws.gateway_keys import STACK_TAG
from tests.members import for_each
from tests.template.template import FOLDERS, FUNCTIONS, RESOURCES, events, listed, statements

GATEWAY = "arn:${AWS::Partition}:apigateway:${AWS::Region}::"
TAGS_OF_KEYS = "/tags/arn%3A${AWS::Partition}%3Aapigateway%3A${AWS::Region}%3A%3A%2Fapikeys%2F*"
TAGS_OF_DOMAINS = TAGS_OF_KEYS.replace("apikeys", "domainnames")
# ACM takes no resource for these actions.
WITHOUT_RESOURCE = {"acm:ListCertificates", "acm:RequestCertificate"}
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
        function: {"Fn::GetAtt": "Fetch.Arn"} for function in ("branding", "domain_steps", "domains", "roll_up", "sso")
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
        value = {"Ref": "AWS::StackName"} if DOMAINS_TAG in LIMITING_TAG[path] else path_of_plans
        assert condition == {"StringEquals": {LIMITING_TAG[path]: value}}, path
