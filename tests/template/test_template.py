"""The template, the functions, their sample events, the settings and the tiers say the same. Nothing is listed here:
what exists is discovered, so that a new function, route or variable is covered, or fails."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tenancy.gateway.metrics import NAMESPACE, SERVICE
from tenancy.rules.tiers import QUOTAS, Tier
from tenancy.use_cases.keys.write_keys import CACHE_TIME
from tests.given import ROOT
from tests.handlers.functions import running


class Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms as `{"Ref": …}` and `{"Fn::…": …}`."""


def _construct(loader: Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}


Loader.add_multi_constructor("!", _construct)

TEMPLATE = yaml.load((ROOT / "template.yaml").read_text(), Loader)
RESOURCES: dict[str, dict[str, Any]] = TEMPLATE["Resources"]
FUNCTIONS = {
    resource["Properties"]["CodeUri"].removeprefix("functions/"): resource["Properties"]
    for resource in RESOURCES.values()
    if resource["Type"] == "AWS::Serverless::Function"
}
# Powertools reads its own variables itself.
GLOBAL_VARIABLES = {
    name for name in TEMPLATE["Globals"]["Function"]["Environment"]["Variables"] if not name.startswith("POWERTOOLS_")
}
LEAST_ALARMS = 6
FOLDERS = sorted(path.parent.name for path in ROOT.glob("functions/*/app.py"))
# Routes that a client may use before anyone knows who it is; every other route has the authorizer.
PUBLIC = re.compile(
    r"/(health|batch|b|import|track|t|identify|i|page|p|screen|s|group|g|alias|a|projects/\{writeKey\}/settings)"
)


def routes(function: str) -> list[dict[str, Any]]:
    events = FUNCTIONS[function].get("Events", {}).values()
    return [event["Properties"] for event in events if event["Type"] == "Api"]


def variables(function: str) -> set[str]:
    return GLOBAL_VARIABLES | set(FUNCTIONS[function].get("Environment", {}).get("Variables", {}))


def statements(function: str) -> list[dict[str, Any]]:
    """Return what a function may do, by its own policies or its own role's."""
    policies = FUNCTIONS[function].get("Policies", [])
    if "Role" in FUNCTIONS[function]:
        role = FUNCTIONS[function]["Role"]["Fn::GetAtt"].removesuffix(".Arn")
        policies = [policy["PolicyDocument"] for policy in RESOURCES[role]["Properties"]["Policies"]]
    return [statement for policy in policies for statement in policy["Statement"]]


def settings_variables() -> dict[str, str]:
    """Environment variable -> field, as settings.py reads them."""
    source = (ROOT / "layers/tenancy/tenancy/settings.py").read_text()
    return {name: field for field, name in re.findall(r"(\w+)=.*?environ(?:\.get\(|\[)\"([A-Z_]+)\"", source)}


def test_every_folder_is_a_function_and_every_function_a_folder() -> None:
    assert sorted(FUNCTIONS) == FOLDERS


@pytest.mark.parametrize("function", FOLDERS)
def test_every_function_has_sample_events_that_are_json(function: str) -> None:
    samples = sorted((ROOT / "events" / function).glob("*.json"))
    assert samples
    for sample in samples:
        json.loads(sample.read_text())


def test_every_folder_of_events_belongs_to_a_function() -> None:
    assert sorted(path.name for path in (ROOT / "events").iterdir()) == FOLDERS


@pytest.mark.parametrize("function", FOLDERS)
def test_a_function_is_given_exactly_the_variables_that_it_reads(function: str) -> None:
    source = (ROOT / "functions" / function / "app.py").read_text()
    if "settings" not in source:
        assert variables(function) == GLOBAL_VARIABLES
        return
    fields = set(re.findall(r"settings\.(\w+)", source)) - {"region"}
    read = {variable for variable, field in settings_variables().items() if field in fields}
    assert read | GLOBAL_VARIABLES == variables(function)


def test_every_setting_is_used_by_a_function_and_documented() -> None:
    given = set().union(*(variables(function) for function in FOLDERS)) | {"AWS_REGION"}
    assert set(settings_variables()) == given
    documented = (ROOT / "docs/operations.md").read_text()
    assert [name for name in sorted(given) if f"`{name}`" not in documented] == []


@pytest.mark.parametrize("function", FOLDERS)
def test_a_function_may_read_exactly_the_secrets_that_it_names(function: str) -> None:
    source = (ROOT / "functions" / function / "app.py").read_text()
    constants = dict(
        re.findall(
            r"^([A-Z_]+): Final = \"([a-z-]+)\"$",
            (ROOT / "layers/tenancy/tenancy/stores/aws/secrets.py").read_text(),
            re.MULTILINE,
        )
    )
    named = {value for name, value in constants.items() if re.search(rf"get_secret\({name}\)", source)}
    policies = json.dumps(statements(function))
    assert set(re.findall(r"secret:\$\{SecretsPrefix\}/([a-z-]+)-\?{6}", policies)) == named


@pytest.mark.parametrize("function", FOLDERS)
def test_a_route_is_public_or_has_the_authorizer_and_a_plan(function: str) -> None:
    for route in routes(function):
        is_public = route.get("Auth") == {"Authorizer": "NONE", "ApiKeyRequired": False}
        assert is_public or "Auth" not in route
        assert is_public == (route["Method"] == "OPTIONS" or PUBLIC.fullmatch(route["Path"]) is not None), route
    auth = RESOURCES["Api"]["Properties"]["Auth"]
    assert (auth["DefaultAuthorizer"], auth["ApiKeyRequired"]) == ("Credential", True)


def test_a_browser_may_ask_before_it_calls_on_every_path() -> None:
    every = [route for function in FOLDERS for route in routes(function)]
    asked = {route["Path"] for route in every if route["Method"] == "OPTIONS"}
    assert {route["Path"] for route in every} == asked


def test_no_path_names_the_stage() -> None:
    assert [
        route["Path"] for function in FOLDERS for route in routes(function) if route["Path"].startswith("/v1")
    ] == []


@pytest.mark.parametrize("function", FOLDERS)
def test_the_resolver_has_exactly_the_templates_routes(function: str) -> None:
    tree = ast.parse((ROOT / "functions" / function / "app.py").read_text())
    declared = {
        (call.func.attr.upper(), re.sub(r"<(\w+)>", r"{\1}", call.args[0].value))
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        for call in node.decorator_list
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.args
        and isinstance(call.args[0], ast.Constant)
        and isinstance(call.args[0].value, str)
    }
    if declared:
        assert declared == {(r["Method"], r["Path"]) for r in routes(function) if r["Method"] != "OPTIONS"}


@pytest.mark.parametrize("tier", Tier)
def test_a_usage_plan_is_the_tiers_fence(tier: Tier) -> None:
    plan = RESOURCES[f"{tier.title()}Plan"]["Properties"]
    quotas = QUOTAS[tier]
    assert plan["Throttle"] == {"RateLimit": quotas.gateway_rate_per_second, "BurstLimit": quotas.gateway_burst}
    assert "Quota" not in plan
    assert RESOURCES[f"{tier.title()}PlanId"]["Properties"]["Value"] == {"Ref": f"{tier.title()}Plan"}


def test_plans_are_the_tiers_and_the_platforms() -> None:
    plans = {name for name, resource in RESOURCES.items() if resource["Type"] == "AWS::ApiGateway::UsagePlan"}
    assert plans == {f"{tier.title()}Plan" for tier in Tier} | {"PlatformPlan"}


def test_the_queue_waits_longer_than_load_may_take() -> None:
    queue = RESOURCES["EventsQueue"]["Properties"]
    assert queue["VisibilityTimeout"] >= 6 * FUNCTIONS["load"]["Timeout"]
    assert queue["RedrivePolicy"]["maxReceiveCount"] >= 5
    assert FUNCTIONS["load"]["Events"]["Queue"]["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_the_authorizer_reads_exactly_what_its_answers_are_cached_by() -> None:
    """An input that is read and no identity source would let one client's answer be another's."""
    [authorizer] = RESOURCES["Api"]["Properties"]["Auth"]["Authorizers"].values()
    identity = {name: texts for name, texts in authorizer["Identity"].items() if name != "ReauthorizeEvery"}
    assert set(identity) == {"Headers"}
    with running("authorizer", {"SECRETS_PREFIX": "tenancy/test"}) as function:
        assert [name.lower() for name in identity["Headers"]] == list(function.app.IDENTITY_SOURCES)


def test_write_keys_are_remembered_as_long_as_the_authorizers_answers() -> None:
    identity = RESOURCES["Api"]["Properties"]["Auth"]["Authorizers"]["Credential"]["Identity"]
    assert identity == {"Headers": ["Authorization"], "ReauthorizeEvery": CACHE_TIME.total_seconds()}


def test_the_gateways_refusals_have_the_shape_of_ours() -> None:
    responses = RESOURCES["Api"]["Properties"]["GatewayResponses"]
    assert responses["MISSING_AUTHENTICATION_TOKEN"]["StatusCode"] == 404
    for name, response in responses.items():
        [(_, text)] = response["ResponseTemplates"].items()
        problem = json.loads(text)
        assert problem["status"] == response["StatusCode"], name
        assert problem["message"] == problem["detail"]
        assert {"type", "title", "instance", "code", "request_id"} <= set(problem)
        headers = response["ResponseParameters"]["Headers"]
        assert headers["Content-Type"] == "'application/problem+json'"
        assert ("Retry-After" in headers) == (response["StatusCode"] in {429, 503})


@pytest.mark.parametrize("function", FOLDERS)
def test_nothing_may_do_everything(function: str) -> None:
    for statement in statements(function):
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        assert not [action for action in actions if "*" in action]
        assert statement["Resource"] != "*"


@pytest.mark.parametrize("function", FOLDERS)
def test_a_function_that_reads_a_queue_has_its_own_role(function: str) -> None:
    """SAM gives every function with an SQS event a managed policy for all queues of the account."""
    reads_queue = any(event["Type"] == "SQS" for event in FUNCTIONS[function].get("Events", {}).values())
    assert reads_queue == ("Role" in FUNCTIONS[function])


def test_no_gateway_keeps_who_called_which_address() -> None:
    """X-Ray and access logs would keep clients' addresses and URLs; of Segment's settings the URL has the write key."""
    for resource in RESOURCES.values():
        if resource["Type"] == "AWS::Serverless::Api":
            properties = resource["Properties"]
            assert not properties.get("TracingEnabled")
            assert "AccessLogSetting" not in properties
            assert not any(each.keys() & {"LoggingLevel", "DataTraceEnabled"} for each in properties["MethodSettings"])


def test_two_stages_fit_into_one_account_and_region() -> None:
    """A fixed physical name that does not contain the stack's is taken by the first stage."""
    for function in FOLDERS:
        for event in FUNCTIONS[function].get("Events", {}).values():
            if event["Type"] == "ScheduleV2":
                assert event["Properties"]["OmitName"] is True
    for name, resource in RESOURCES.items():
        properties = resource.get("Properties", {})
        for key in ("FunctionName", "QueueName", "RoleName", "AlarmName", "LogGroupName"):
            assert key not in properties, name


@pytest.mark.parametrize("function", FOLDERS)
def test_no_layer_is_attached_twice(function: str) -> None:
    """SAM adds a function's layers to those of all functions; twice the dependencies are past Lambda's 250 MB."""
    layers = [*TEMPLATE["Globals"]["Function"]["Layers"], *FUNCTIONS[function].get("Layers", [])]
    names = [layer["Ref"] for layer in layers]
    assert len(names) == len(set(names))


def test_every_alarm_on_a_metric_of_our_own_watches_one_that_is_counted() -> None:
    code = "".join(
        path.read_text() for folder in ("functions", "layers/tenancy") for path in ROOT.glob(f"{folder}/**/*.py")
    )
    alarms = [each["Properties"] for each in RESOURCES.values() if each["Type"] == "AWS::CloudWatch::Alarm"]
    own = [alarm for alarm in alarms if alarm["Namespace"] == NAMESPACE]
    assert len(own) >= LEAST_ALARMS
    for alarm in own:
        assert f'"{alarm["MetricName"]}"' in code, alarm["MetricName"]
        assert alarm["Dimensions"] == [{"Name": "service", "Value": SERVICE}]


def test_events_and_audit_records_and_their_proof_outlive_the_stack() -> None:
    kept = [resource for resource in RESOURCES.values() if resource["Type"] in {"AWS::SQS::Queue", "AWS::KMS::Key"}]
    assert {resource["DeletionPolicy"] for resource in kept} == {"Retain"}


def test_the_requirements_are_the_locks(tmp_path: Path) -> None:
    exported = tmp_path / "requirements.txt"
    command = [sys.executable, "-m", "uv", "export", "--quiet", "--frozen", "--no-dev", "--no-emit-project"]
    plain = ["--no-hashes", "--no-annotate", "--no-header", "--output-file", str(exported)]
    subprocess.run([*command, *plain], cwd=ROOT, check=True, capture_output=True)
    assert (ROOT / "layers/dependencies/requirements.txt").read_text() == exported.read_text()
