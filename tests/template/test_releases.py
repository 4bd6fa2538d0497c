"""Releases: callers follow the aliases, a deploy publishes versions, and alarms roll back."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from samtranslator.model.preferences.deployment_preference_collection import CODEDEPLOY_PREDEFINED_CONFIGURATIONS_LIST

from scripts.deploy.old_versions import LAYERS as OWN_LAYERS
from scripts.deploy.roll_back import DEPLOY_ONLY, QUEUE, SENDER, WRITERS
from scripts.deploy.transform import transform
from tests.given import REGION
from tests.members import for_each
from tests.template.template import ALARMS, FOLDERS, RESOURCES, TEMPLATE, properties_of, routes
from tests.template.transformed import transformed, transformed_of

FUNCTIONS = [name for name, each in RESOURCES.items() if each["Type"] == "AWS::Serverless::Function"]
LOGICAL_IDS = {RESOURCES[name]["Properties"]["CodeUri"].removeprefix("functions/"): name for name in FUNCTIONS}
LAYERS = [name for name, each in RESOURCES.items() if each["Type"] == "AWS::Serverless::LayerVersion"]
# These name a function to publish or watch it. They do not invoke it.
NO_CALLERS = {
    "AWS::CloudFormation::Stack",
    "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::Dashboard",
    "AWS::Lambda::Alias",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::Version",
}
ROTATION = "AWS documents functions for rotations, and no aliases."
EXECUTIONS_OF_BEFORE = "An execution of the release before invokes the function itself, for weeks."
WITHOUT_ALIAS = {
    ("AuthorizerDatabaseRotation", "RotateUsers"): ROTATION,
    ("DatabaseRotation", "RotateUsers"): ROTATION,
    ("DeleteOrganizationRole", "Erase"): EXECUTIONS_OF_BEFORE,
    ("PlatformDatabaseRotation", "RotateUsers"): ROTATION,
    ("RotateUsersPermission", "RotateUsers"): ROTATION,
}
# A canary of HeldEvents would hold up Ingest, which a deploy updates after all writers to ClickHouse. The names of the
# console's files come from their content: during a shift, most requests for a file would reach the other release.
AT_ONCE = {"Console", "HeldEvents"}
GRADUAL = {LOGICAL_IDS[folder] for folder in FOLDERS if routes(folder)} - AT_ONCE | {"Authorizer"}


def functions_in(value: Any) -> Iterator[str]:  # noqa: ANN401 - any value of the template
    """Yield each function that *value* refers to without an alias or version."""
    text = json.dumps(value)
    named = re.findall(r'"Ref": "(\w+)"|"Fn::GetAtt": (?:\["|")(\w+)|\$\{(\w+)[.}]', text)
    yield from {name for groups in named for name in groups if name in FUNCTIONS}


def versions(template: dict[str, Any]) -> dict[str, str]:
    """Return the logical id of each function's version. CloudFormation publishes a version with a new id."""
    made = transform(template, region=REGION)["Resources"]
    found = {name: each for name, each in made.items() if each["Type"] == "AWS::Lambda::Version"}
    return {each["Properties"]["FunctionName"]["Ref"]: name for name, each in found.items()}


def changed(*path: str, value: object) -> dict[str, Any]:
    """Return template.yaml with another *value* at *path*."""
    template: dict[str, Any] = json.loads(json.dumps(TEMPLATE))
    *parents, last = path
    part = template
    for name in parents:
        part = part[name]
    part[last] = value
    return template


def republished(template: dict[str, Any]) -> set[str]:
    """Return the functions of which a deploy of *template* after template.yaml publishes a version."""
    return {name for name, version in versions(template).items() if versions_before()[name] != version}


@cache
def versions_before() -> dict[str, str]:
    return versions(TEMPLATE)


# -------------------------------------------------------------------------------------------------------- who invokes


def test_each_function_has_an_alias_of_its_newest_version() -> None:
    aliases = {
        each["Properties"]["FunctionName"]["Ref"]: each for each in transformed_of("AWS::Lambda::Alias").values()
    }

    assert set(aliases) == set(FUNCTIONS)
    for name, alias in aliases.items():
        assert alias["Properties"]["Name"] == "live"
        assert alias["Properties"]["FunctionVersion"]["Fn::GetAtt"][0].startswith(f"{name}Version")


def test_callers_of_functions_follow_the_alias() -> None:
    """An integration, authorizer, custom resource, state machine, schedule, queue, permission, role or setting."""
    callers = {
        (name, function)
        for name, resource in transformed(gradual=True).items()
        if resource["Type"] not in NO_CALLERS
        for function in functions_in(resource["Properties"])
    }

    assert callers == set(WITHOUT_ALIAS)


def test_reference_without_an_alias_is_found() -> None:
    uri = {"Fn::Sub": "arn:aws:apigateway:${AWS::Region}:lambda:path/functions/${Ingest.Arn}/invocations"}

    assert list(functions_in({"uri": uri})) == ["Ingest"]
    assert list(functions_in({"Fn::GetAtt": "Ingest.Arn"})) == ["Ingest"]
    assert list(functions_in({"Fn::GetAtt": ["Ingest", "Arn"]})) == ["Ingest"]
    assert not list(functions_in({"Ref": "IngestAliaslive"}))


# ------------------------------------------------------------------------------------------------ what makes versions


def test_changed_code_publishes_its_function_alone() -> None:
    assert republished(changed("Resources", "Usage", "Properties", "Timeout", value=28)) == {"Usage"}


@for_each("layer", LAYERS)
def test_changed_layer_publishes_its_functions(layer: str) -> None:
    used = {"Ref": layer}
    everywhere = used in TEMPLATE["Globals"]["Function"]["Layers"]
    users = {name for name in FUNCTIONS if everywhere or used in RESOURCES[name]["Properties"].get("Layers", [])}

    assert republished(changed("Resources", layer, "Properties", "Description", value="Another content.")) == users


def test_each_deploy_publishes_all_functions() -> None:
    """Otherwise an alias would keep the old value of a parameter in its variables."""
    path = ("Globals", "Function", "Environment", "Variables", "RELEASE")

    assert republished(changed(*path, value="2026-11-29T12:00:00Z")) == set(FUNCTIONS)


def test_changed_parameter_alone_publishes_nothing() -> None:
    """If this fails, SAM sees values of parameters, and RELEASE can go."""
    assert not republished(changed("Parameters", "MailFrom", "Default", value="other@attribution.example"))


def test_old_versions_stay_for_a_roll_back() -> None:
    kept = transformed_of("AWS::Lambda::Version").values()

    assert {each["DeletionPolicy"] for each in kept} == {"Retain"}


def test_roll_back_moves_the_functions_that_ingest_waits_for_last() -> None:
    waited_for = {name for name in RESOURCES[SENDER]["DependsOn"] if name.endswith("Aliaslive")}

    assert {f"{name}Aliaslive" for name in WRITERS} == waited_for
    assert not any("Events" in RESOURCES[name]["Properties"] for name in DEPLOY_ONLY)
    assert RESOURCES[QUEUE]["Type"] == "AWS::SQS::Queue"


@for_each("layer", LAYERS)
def test_old_versions_of_layers_stay_with_those_of_functions(layer: str) -> None:
    """But none of a deploy that failed. `make deploy` knows the whole names, and so deletes none of another stack."""
    resource = RESOURCES[layer]

    assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
    assert resource["Properties"]["LayerName"]["Fn::Sub"] in {f"${{AWS::StackName}}-{name}" for name in OWN_LAYERS}
    assert "RetentionPolicy" not in resource["Properties"]


def test_no_function_restores_a_snapshot() -> None:
    """docs/decisions/0082-releases.md has the reasons."""
    assert [
        name for name, each in transformed_of("AWS::Lambda::Function").items() if "SnapStart" in each["Properties"]
    ] == []
    assert "SnapStart" not in TEMPLATE["Globals"]["Function"]


# ---------------------------------------------------------------------------------------------------- gradual shifting


def test_codedeploy_is_used_only_if_asked_for() -> None:
    made = [each for each in transformed().values() if "CodeDeploy" in json.dumps(each)]

    assert TEMPLATE["Parameters"]["GradualDeployment"]["Default"] == "false"
    assert made == []


def test_functions_of_requests_are_deployed_gradually() -> None:
    resources = transformed(gradual=True)

    policies = {name: resources[f"{name}Aliaslive"].get("UpdatePolicy", {}) for name in FUNCTIONS}

    assert {name for name, policy in policies.items() if policy} == GRADUAL
    for name in GRADUAL:
        assert policies[name]["CodeDeployLambdaAliasUpdate"]["DeploymentGroupName"] == {"Ref": f"{name}DeploymentGroup"}


def test_functions_before_ingest_are_deployed_at_once() -> None:
    before_ingest = {name.removesuffix("Aliaslive") for name in RESOURCES["Ingest"]["DependsOn"]}

    assert GRADUAL.isdisjoint(before_ingest)


def test_console_is_deployed_at_once() -> None:
    """A page of the new release would ask the release before for most of its files, and get 404."""
    made = transformed(gradual=True)

    assert "UpdatePolicy" not in made["ConsoleAliaslive"]
    assert "ConsoleDeploymentGroup" not in made


@for_each("function", sorted(GRADUAL))
def test_alarms_roll_a_deployment_back(function: str) -> None:
    group = transformed(gradual=True)[f"{function}DeploymentGroup"]["Properties"]

    watched = [alarm_of(each["Name"]) for each in group["AlarmConfiguration"]["Alarms"]]

    own = {name for name in watched if function in json.dumps(ALARMS[name].get("Dimensions", []))}
    metrics = {ALARMS[name]["MetricName"] for name in watched}
    faults = {"AuthorizerFault", "Duration"} if function == "Authorizer" else {"5XXError", "Errors"}
    assert metrics == faults | {"Throttles"}
    assert {ALARMS[name]["MetricName"] for name in own} == metrics - {"5XXError", "AuthorizerFault"}
    assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]
    assert group["AlarmConfiguration"]["Enabled"] is True


def alarm_of(name: dict[str, str]) -> str:
    """Return the logical id of an alarm that a deployment group names: here, or in the nested stack."""
    if "Ref" in name:
        return name["Ref"]
    output = name["Fn::GetAtt"].removeprefix("FunctionAlarms.Outputs.")
    return f"{output}Alarm"


@for_each("kind", CODEDEPLOY_PREDEFINED_CONFIGURATIONS_LIST)
def test_each_kind_of_shift_can_be_chosen(kind: str) -> None:
    assert kind in TEMPLATE["Parameters"]["TrafficShift"]["AllowedValues"]


def test_chosen_shift_reaches_the_groups() -> None:
    parameters = {"GradualDeployment": "true", "TrafficShift": "Linear10PercentEvery1Minute"}

    made = transform(TEMPLATE, region=REGION, parameters=parameters)["Resources"].values()

    groups = [each for each in made if each["Type"] == "AWS::CodeDeploy::DeploymentGroup"]
    names = {json.dumps(each["Properties"]["DeploymentConfigName"]) for each in groups}
    assert names == {
        json.dumps({"Fn::Sub": ["CodeDeployDefault.Lambda${ConfigName}", {"ConfigName": parameters["TrafficShift"]}]})
    }


@pytest.mark.parametrize("gradual", [False, True])
def test_stack_stays_below_cloudformations_limit(gradual: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """The limit is 500. The 10 below it leave time to divide the template."""
    maximum = 490

    assert len(transformed(gradual=gradual)) <= maximum


def test_permissions_of_each_alias_fit_into_its_policy() -> None:
    """Lambda's quota for the policy of a function or alias is 20 KB.

    SAM makes a statement for each route.
    """
    sizes = Counter[str]()
    for name, permission in transformed_of("AWS::Lambda::Permission").items():
        alias = str(next(iter(permission["Properties"]["FunctionName"].values())))
        sizes[alias] += len(statement_of(name, alias, permission["Properties"]))

    assert {alias: size for alias, size in sizes.items() if size > 0.9 * 20 * 1024} == {}
    assert max(sizes.values()) > 10_000  # the estimate has the statements


def statement_of(name: str, alias: str, permission: dict[str, Any]) -> str:
    """Return the statement of a policy with names of usual lengths."""
    stack, made, place = "tenancy-production", 12 * "X", f"{REGION}:{12 * '0'}"
    source = re.sub(
        r".*\$\{__Stage__\}", f"arn:aws:execute-api:{place}:{10 * 'x'}/*", json.dumps(permission.get("SourceArn"))
    )
    statement = {
        "Sid": f"{stack}-{name}-{made}",
        "Effect": "Allow",
        "Principal": {"Service": permission["Principal"]},
        "Action": permission["Action"],
        "Resource": f"arn:aws:lambda:{place}:function:{stack}-{alias.removesuffix('Aliaslive')}-{made}:live",
        "Condition": {"ArnLike": {"AWS:SourceArn": source.partition('"')[0]}},
    }
    return json.dumps(statement, separators=(",", ":"))


def test_nested_alarms_get_the_names_of_functions() -> None:
    given = RESOURCES["FunctionAlarms"]["Properties"]["Parameters"]

    assert {name: value["Ref"] for name, value in given.items()} == {name: name for name in given} | {
        "Stack": "AWS::StackName"
    }
    assert {name for name in given if name in FUNCTIONS} == set(given) - {"AlarmTopicArn", "ReplicaAddress", "Stack"}
    assert properties_of("AWS::CloudFormation::Stack")["FunctionAlarms"]["TemplateURL"] == "stacks/function_alarms.yaml"
