"""template.yaml as the tests read it: resources, functions, and their routes, variables and policies.

Tests discover functions, routes and variables here, so that a new one is covered or fails.
"""

import json
import re
from typing import Any

from scripts.template import read_template
from tests.given import ROOT

FILE = ROOT / "template.yaml"


TEMPLATE = read_template(FILE)
RESOURCES: dict[str, dict[str, Any]] = TEMPLATE["Resources"]
FUNCTIONS = {
    resource["Properties"]["CodeUri"].removeprefix("functions/"): resource["Properties"]
    for resource in RESOURCES.values()
    if resource["Type"] == "AWS::Serverless::Function"
}
FOLDERS = sorted(path.parent.name for path in ROOT.glob("functions/*/app.py"))
# Powertools and libpq read their own variables themselves. Nothing reads RELEASE: its value makes new versions.
READ_ELSEWHERE = ("POWERTOOLS_", "PG", "RELEASE")
GLOBAL_VARIABLES = {
    name for name in TEMPLATE["Globals"]["Function"]["Environment"]["Variables"] if not name.startswith(READ_ELSEWHERE)
}


def properties_of(kind: str) -> dict[str, dict[str, Any]]:
    """Return the properties of all resources of type *kind*, by their logical ids."""
    return {name: resource["Properties"] for name, resource in RESOURCES.items() if resource["Type"] == kind}


ALARMS = properties_of("AWS::CloudWatch::Alarm") | {
    name: resource["Properties"]
    for name, resource in read_template(ROOT / "stacks/function_alarms.yaml")["Resources"].items()
}


MADE_SECRETS = {
    resource: properties["Name"]["Fn::Sub"].removeprefix("${SecretsPrefix}/")
    for resource, properties in properties_of("AWS::SecretsManager::Secret").items()
}


def events(function: str, kind: str) -> list[dict[str, Any]]:
    """Return the properties of a function's events of one kind: Api, SQS or ScheduleV2."""
    every = FUNCTIONS[function].get("Events", {}).values()
    return [event["Properties"] for event in every if event["Type"] == kind]


def routes(function: str) -> list[dict[str, Any]]:
    return events(function, "Api")


def variables(function: str) -> set[str]:
    return GLOBAL_VARIABLES | set(FUNCTIONS[function].get("Environment", {}).get("Variables", {}))


def statements(function: str) -> list[dict[str, Any]]:
    """Return the policy statements of a function, or those of its role if it has one."""
    policies = FUNCTIONS[function].get("Policies", [])
    if "Role" in FUNCTIONS[function]:
        role = FUNCTIONS[function]["Role"]["Fn::GetAtt"].removesuffix(".Arn")
        policies = [policy["PolicyDocument"] for policy in RESOURCES[role]["Properties"].get("Policies", [])]
    return [statement for policy in policies for statement in policy["Statement"]]


def listed(value: str | list[Any] | dict[str, Any]) -> list[Any]:
    """Return a policy's Action or Resource as a list; IAM takes one value without brackets."""
    return value if isinstance(value, list) else [value]


def secrets_with(function: str, action: str) -> set[str]:
    """Return the secrets for which *function* has the permission *action*.

    They are the operator's and those of the stack.
    """
    resources = [each["Resource"] for each in statements(function) if action in listed(each["Action"])]
    text = json.dumps(resources)
    of_stack = {name for resource, name in MADE_SECRETS.items() if f'{{"Ref": "{resource}"}}' in text}
    return set(re.findall(r"secret:\$\{SecretsPrefix\}/([a-z-]+)-\?{6}", text)) | of_stack
